"""The world that a new sandbox begins with."""
import json
import os

from .rest.datasets import fill, make_dataset
from .rest.galleries import make_gallery

#: Enough for a second page.
_FURTHER_PROJECTS = 27
_VEHICLES = [('Bus 7', 'bus', 41, -122.4194, 37.7749), ('Bus 12', 'bus', 37, -122.4089, 37.7836),
             ('Tram F', 'tram', 110, -122.3937, 37.7955), ('Van 3', 'van', 8, -122.4477, 37.7680),
             ('Ferry "Bahía"', 'ferry', 250, -122.3930, 37.7956)]
_PLACES = ['600 Montgomery St, San Francisco', '1600 Pennsylvania Ave NW, Washington', '350 5th Ave, New York',
           '221B Baker Street, London', '5 Avenue Anatole France, Paris', 'Plaza Murillo, La Paz',
           "O'Farrell St 1, San Francisco", 'Nowhere Lane 1, Atlantis', None]


def describe(cloud, url):
    """Return what a user has to know of the world, tokens and ids; a cloud without a world gets it first."""
    path = os.path.join(cloud.folder, 'world.json')
    if not os.path.exists(path):
        world = _sow(cloud)
        with open(path, 'w', encoding='utf-8') as written:
            json.dump(world, written)
    with open(path, encoding='utf-8') as written:
        world = json.load(written)
    project_url = '{}/api/v1/users/{user_id}/projects/{project_id}'.format(url, **world)
    return dict(world, url=url, project_url=project_url, engine=cloud.databases.engine)


def _sow(cloud):
    """Make two users with tokens, projects, and in the first project two datasets and a gallery."""
    store = cloud.store
    user_id = store.insert('users', first_name='Ada', last_name='Rivera', email='ada@example.com', custom_id='ada')
    other_id = store.insert('users', first_name='Ben', last_name='Okoro', email='ben@example.com', custom_id='ben')
    vehicles_id, places_id = make_dataset(cloud, 'vehicles'), make_dataset(cloud, 'places')
    project_id = cloud.make_project(user_id, 'Field work', 'Vehicles and places')
    for number in range(1, _FURTHER_PROJECTS + 1):
        cloud.make_project(user_id, 'Project {:02d}'.format(number), '')
    cloud.make_project(other_id, 'Private', '')
    fill(cloud, project_id, vehicles_id, [
        {'name': 'name', 'type': 'string'}, {'name': 'kind', 'type': 'string'}, {'name': 'seats', 'type': 'integer'},
        {'name': 'location', 'type': 'geometry'}],
        [{'name': name, 'kind': kind, 'seats': seats, 'location': 'SRID=4326;POINT({} {})'.format(longitude, latitude)}
         for name, kind, seats, longitude, latitude in _VEHICLES])
    fill(cloud, project_id, places_id, [
        {'name': 'address', 'type': 'string'}, {'name': 'location', 'type': 'geometry'}],
        [{'address': address} for address in _PLACES])
    return {
        'user_id': user_id, 'project_id': project_id, 'vehicles_id': vehicles_id, 'places_id': places_id,
        'project_uuid': store.find('projects', id=project_id)['uuid'],
        'gallery_id': make_gallery(cloud, project_id, vehicles_id, 'photos'),
        'token': cloud.make_token(user_id, 'ADMIN'), 'edit_token': cloud.make_token(user_id, 'EDIT'),
        'create_token': cloud.make_token(user_id, 'CREATE'), 'read_token': cloud.make_token(user_id, 'READ'),
        'project_token': cloud.make_token(user_id, 'ADMIN', project_id),
        'other_token': cloud.make_token(other_id, 'ADMIN')}
