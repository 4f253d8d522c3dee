"""Events of the sandbox, to a Socket.IO client of a few lines."""
import json

import pytest
import websocket

pytestmark = pytest.mark.slow

pytest_plugins = ['sandbox_api']

#: SERVICE.md, Jobs, exports, tiles, maps.
MOOVBOX = ('<gps id="bus 7"><coordinates><coordinate><fix>1</fix><time>2026-01-02T03:04:05Z</time>'
           '<latitude>{}</latitude><longitude>-122.5</longitude><altitude>3</altitude><climb/><speed>30</speed><separation/><track/>'
           '<satellites>9</satellites></coordinate></coordinates></gps>')


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
    """SERVICE.md, Events."""
    listener.authenticate(1, api.get('/me/start_websocket_session')['websocket_session'])
    assert api.get(api.url + '/sandbox/listeners?at_least=1') == {'listeners': 1}
    project = api.post('/me/projects', 201, json={'name': 'x'})
    name, data = listener.event()
    assert name == 'project:creation_succeeded'
    assert (data['user_id'], data['project_id']) == (1, project['id'])
    answer = api.post('/projects/1/datasets/create', json={'name': 'x', 'schema': []})
    name, data = listener.event()
    assert name == 'dataset:creation_succeeded' and data['job'] == answer['job']
    assert api.get('/projects/1/datasets/{}'.format(data['dataset_id']))['name'] == 'x'
    # SERVICE.md, Events: of jobs there are none, so a failed one is followed by the next thing that is made.
    api.finished(api.post('/projects/1/datasets/upload', files={'datafile': ('x.zip', b'zork')}))
    api.post('/me/projects', 201, json={'name': 'y'})
    assert listener.event()[0] == 'project:creation_succeeded'


def test_events__of_a_dataset(api, sandbox, listener):
    """SERVICE.md, Jobs, exports, tiles, maps; Events; ours: the members of a position."""
    path = '/users/1/projects/1/datasets/{}'.format(sandbox.vehicles_id)
    session = api.get(path + '/start_websocket_session')['websocket_session']
    listener.authenticate('1', session, datasetid=str(sandbox.vehicles_id))
    api.get(api.url + '/sandbox/listeners?at_least=1')
    api.post('/projects/1/datasets/{}/realtime'.format(sandbox.places_id), data=MOOVBOX.format(37.5))
    api.post(path + '/realtime', data=MOOVBOX.format(37.5), headers={'Content-Type': 'application/xml'})
    api.post(path + '/realtime', 400, data=MOOVBOX.format(97.5))
    api.post(path + '/realtime', 400, data=MOOVBOX.format(37.5).replace('30', 'NaN'))
    api.post(path + '/realtime', 415, json={'object_id': 'bus 7'})
    assert listener.event() == ['realtime', {'dataset_id': sandbox.vehicles_id, 'data': [{
        'object_id': 'bus 7', 'time': '2026-01-02T03:04:05Z', 'latitude': 37.5, 'longitude': -122.5, 'altitude': 3.0,
        'speed': 30.0, 'satellites': 9.0}]}]


@pytest.mark.parametrize('wrong', ['session', 'user', 'dataset', 'used'])
def test_events__refused_login_ends_the_connection(api, sandbox, listener, wrong):
    """Ours."""
    session = api.get('/me/start_websocket_session')['websocket_session']
    if wrong == 'used':
        listener.authenticate(1, session)
    listener.authenticate(2 if wrong == 'user' else 1, 'zork' if wrong == 'session' else session,
                          **({'datasetid': 1} if wrong == 'dataset' else {}))
    assert listener.event() is None


def test_events__revoked_token_ends_the_connection(make_sandbox, make_api):
    """Ours."""
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
    """Ours."""
    assert api.post(api.url + '/sandbox/websockets/drop') == {'dropped': 1}
    assert listener.event() is None
    assert api.get(api.url + '/sandbox/listeners') == {'listeners': 0}


def test_events__polling_only(make_sandbox, make_api):
    """SERVICE.md, Events: the path of the Java client."""
    sandbox = make_sandbox(websocket=False, ping_interval=7, ping_timeout=9)
    api = make_api(sandbox.url, sandbox.token)
    # SERVICE.md, Events: the path of the Java client.
    url = sandbox.url + '/v2_socket.io/?EIO=3&transport='
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
