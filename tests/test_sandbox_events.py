"""Events of the sandbox, to a Socket.IO client of a few lines."""
import json

import pytest
import websocket

pytest.importorskip('flask')

pytest_plugins = ['sandbox_api']


class Listener(object):
    """A Socket.IO connection over a websocket."""

    def __init__(self, sandbox):
        self.socket = websocket.create_connection(
            sandbox.url.replace('http', 'ws') + '/v2_socket.io/socket.io/?EIO=3&transport=websocket', timeout=20)
        self.handshake = json.loads(self.socket.recv()[1:])
        assert self.socket.recv() == '40'
        self.socket.send('40/amigosocket')
        assert self.socket.recv() == '40/amigosocket'

    def authenticate(self, user_id, session, **more):
        data = dict(more, userid=user_id, websocket_session=session)
        self.socket.send('42/amigosocket,' + json.dumps(['authenticate', data]))

    def event(self):
        """Return the name and the data of the next event, or None if the server closes the connection."""
        while True:
            packet = self.socket.recv()
            if not packet:
                return None
            if packet.startswith('42/amigosocket,'):
                return json.loads(packet[len('42/amigosocket,'):])

    def close(self):
        self.socket.shutdown()


@pytest.fixture
def listener(sandbox):
    listener = Listener(sandbox)
    yield listener
    listener.close()


def test_events__of_a_user(api, sandbox, listener):
    listener.authenticate(1, api.get('/me/start_websocket_session')['websocket_session'])
    assert api.get(api.url + '/sandbox/listeners?at_least=1') == {'listeners': 1}
    project = api.post('/me/projects', 201, json={'name': 'x'})
    name, data = listener.event()
    assert name == 'project:creation_succeeded'
    assert (data['user_id'], data['project_id']) == (1, project['id'])
    assert listener.event() == ['job:succeeded', data]
    answer = api.post('/projects/1/datasets/create', json={'name': 'x', 'schema': []})
    name, data = listener.event()
    assert name == 'dataset:creation_succeeded' and data['job'] == answer['job']
    assert api.get('/projects/1/datasets/{}'.format(data['dataset_id']))['name'] == 'x'
    assert listener.event()[0] == 'job:succeeded'
    api.post('/projects/1/datasets/upload', files={'datafile': ('x.zip', b'zork')})
    assert listener.event()[0] == 'job:failed'


def test_events__of_a_dataset(api, sandbox, listener):
    path = '/users/1/projects/1/datasets/{}'.format(sandbox.vehicles_id)
    session = api.get(path + '/start_websocket_session')['websocket_session']
    listener.authenticate('1', session, datasetid=str(sandbox.vehicles_id))
    api.get(api.url + '/sandbox/listeners?at_least=1')
    position = {'object_id': 'bus 7', 'latitude': 37.5, 'longitude': -122.5, 'speed': 30}
    api.post('/projects/1/datasets/{}/realtime'.format(sandbox.places_id), json=position)
    api.post(path + '/realtime', json=position)
    assert listener.event() == ['realtime', {'dataset_id': sandbox.vehicles_id, 'data': [position]}]


@pytest.mark.parametrize('wrong', ['session', 'user', 'dataset', 'used'])
def test_events__refused_login_ends_the_connection(api, sandbox, listener, wrong):
    session = api.get('/me/start_websocket_session')['websocket_session']
    if wrong == 'used':
        listener.authenticate(1, session)
    listener.authenticate(2 if wrong == 'user' else 1, 'zork' if wrong == 'session' else session,
                          **({'datasetid': 1} if wrong == 'dataset' else {}))
    assert listener.event() is None


def test_events__revoked_token_ends_the_connection(make_sandbox, make_api):
    sandbox = make_sandbox()
    api = make_api(sandbox.url, sandbox.token)
    listener = Listener(sandbox)
    listener.authenticate(1, api.get('/me/start_websocket_session')['websocket_session'])
    api.get(api.url + '/sandbox/listeners?at_least=1')
    assert sandbox.token in [token['token'] for token in api.get(api.url + '/sandbox/tokens')]
    api.post(api.url + '/sandbox/tokens/revoke', json={'token': sandbox.token})
    assert listener.event() is None
    api.get('/me', 401)
    listener.close()


def test_events__dropped(api, sandbox, listener):
    assert api.post(api.url + '/sandbox/websockets/drop') == {'dropped': 1}
    assert listener.event() is None
    assert api.get(api.url + '/sandbox/listeners') == {'listeners': 0}


def test_events__polling_only(make_sandbox, make_api):
    sandbox = make_sandbox(websocket=False, ping_interval=7, ping_timeout=9)
    api = make_api(sandbox.url, sandbox.token)
    url = sandbox.url + '/v2_socket.io/socket.io/?EIO=3&transport='
    api.send('GET', url + 'websocket', 400)
    answer = api.send('GET', url + 'polling').content
    handshake = json.loads(answer[answer.index(b'{'):answer.index(b'}') + 1].decode('ascii'))
    assert (handshake['upgrades'], handshake['pingInterval'], handshake['pingTimeout']) == ([], 7000, 9000)
    url += 'polling&sid=' + handshake['sid']

    def emit(packet):
        api.send('POST', url, data='{}:{}'.format(len(packet), packet))
    emit('40/amigosocket')
    assert b'40/amigosocket' in api.send('GET', url).content
    session = api.get('/me/start_websocket_session')['websocket_session']
    emit('42/amigosocket,' + json.dumps(['authenticate', {'userid': 1, 'websocket_session': session}]))
    api.post('/me/projects', 201, json={'name': 'x'})
    assert b'project:creation_succeeded' in api.send('GET', url).content
    assert api.post(api.url + '/sandbox/websockets/drop') == {'dropped': 1}
    while api.session.get(url, timeout=30).status_code == 200:
        pass  # what was sent before the end
    api.send('GET', url, 400)
