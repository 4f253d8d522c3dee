import io
import re

from setuptools import find_packages, setup


def read(path):
    with io.open(path, encoding='utf-8') as content:
        return content.read()


# A distribution of its own, released together with this one; in a clone it is ./sandbox.
SANDBOX = ['amigocloud-sandbox; python_version >= "3.8"']

PANDAS = ['pandas>=2.0; python_version >= "3.8"']

GEO = PANDAS + [
    'geopandas>=0.13; python_version >= "3.8"',
    'pyogrio>=0.9; python_version >= "3.8"',
    'pyproj>=3.5; python_version >= "3.8"',
    'shapely>=2; python_version >= "3.8"',
]

ARROW = GEO + ['pyarrow>=14; python_version >= "3.8"']

# What the service is made of, for the tests.
DJANGO = [
    'django>=4.2; python_version >= "3.8"',
    'django-chunked-upload>=2.0; python_version >= "3.8"',
    'djangorestframework>=3.15; python_version >= "3.8"',
]

# What users put around requests, for the tests.
DOUBLES = [
    'requests-cache>=1.0; python_version >= "3.8"',
    'requests-mock>=1.11; python_version >= "3.8"',
    'responses>=0.23; python_version >= "3.8"',
    'vcrpy>=6.0; python_version >= "3.8"',
]

FAST = ['orjson>=3.6; python_version >= "3.8"']

MAPS = ['folium>=0.14; python_version >= "3.8"']

EXAMPLES = GEO + MAPS + [
    'dask-geopandas>=0.3; python_version >= "3.8"',
    'distributed>=2023.1; python_version >= "3.8"',
    'ipykernel>=6; python_version >= "3.8"',
    'mapclassify>=2.5; python_version >= "3.8"',
    'matplotlib>=3.7; python_version >= "3.8"',
    'nbclient>=0.8; python_version >= "3.8"',
]

DOCS = [
    'furo; python_version >= "3.10"',
    'myst-nb>=1.1; python_version >= "3.10"',
    'sphinx>=7.3; python_version >= "3.10"',
    'sphinx-copybutton>=0.5; python_version >= "3.10"',
    'sphinx-design>=0.6; python_version >= "3.10"',
]

setup(
    name='amigocloud',
    version=re.search(r"__version__ = '(.+)'", read('amigocloud/version.py')).group(1),
    description='Client for the AmigoCloud GIS platform: REST, SQL, uploads, geocoding and live events',
    long_description=read('README.rst'),
    long_description_content_type='text/x-rst',
    author='AmigoCloud',
    author_email='support@amigocloud.com',
    url='https://github.com/amigocloud/python-amigocloud',
    project_urls={
        'Changelog': 'https://github.com/amigocloud/python-amigocloud/blob/main/CHANGELOG.rst',
        'Issues': 'https://github.com/amigocloud/python-amigocloud/issues',
        'Source': 'https://github.com/amigocloud/python-amigocloud',
    },
    license='MIT',
    packages=find_packages(include=['amigocloud', 'amigocloud.*']),
    package_data={'': ['py.typed', '*.pyi']},
    entry_points={'console_scripts': ['amigocloud = amigocloud.cli:main']},
    options={'bdist_wheel': {'python_tag': 'py2.py3'}},
    python_requires='>=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*, !=3.6.*, !=3.7.*',
    install_requires=[
        'requests>=2.25',
        'six>=1.12',
        # Upper bounds: the releases above have no wheels for that Python. Lower bound: earlier ones get a greenlet that
        # they cannot be imported with.
        'gevent>=21.12,<23; python_version < "3"',
        'gevent>=21.12,<24.3; python_version == "3.8"',
        'gevent>=21.12,<25.10; python_version == "3.9"',
        'gevent>=21.12; python_version >= "3.10"',
        'socketIO-client>=0.7.2',
    ],
    extras_require={
        'arrow': ARROW,
        'benchmarks': GEO + FAST + SANDBOX + ['httpx', 'matplotlib>=3.7'],
        'docs': DOCS,
        'examples': EXAMPLES,
        'fast': FAST,
        'geo': GEO,
        'maps': MAPS,
        'pandas': PANDAS,
        'progress': ['tqdm>=4.60', 'ipywidgets>=7; python_version >= "3.8"'],
        'sandbox': SANDBOX,
        'test': ARROW + DJANGO + DOUBLES + FAST + ['hypothesis', 'pytest', 'pytest-cov', 'pytest-xdist', 'tqdm>=4.60'],
    },
    classifiers=[
        'Development Status :: 5 - Production/Stable',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: MIT License',
        'Operating System :: OS Independent',
        'Programming Language :: Python',
        'Programming Language :: Python :: 2.7',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.8',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: GIS',
    ],
    keywords='amigocloud gis postgis maps geocoding',
)
