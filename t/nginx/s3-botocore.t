#!/usr/bin/python3

# Copyright (C) The call recorder authors
#
# Our signatures against those of botocore (Debian's), over random requests:
# keys, queries and headers of any bytes, encoded in any of the ways that mean
# the same.

import calendar
import datetime
import json
import os
import random
import subprocess
import sys
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SEED = int(os.environ.get('S3_SEED', '20261122'))
COUNT = 2000

rnd = random.Random(SEED)
chars = ('abcXYZ019-._~ /+%&=?#@:;,!*()\'"<>[]{}|\\^`$\t'
         'äß漢\N{GRINNING FACE}')


def text(n, of=chars, least=0):
    return ''.join(rnd.choice(of) for _ in range(rnd.randint(least, n)))


# Each byte encoded if it must be, or by chance
def some(plain, keep):
    out = []
    for byte in plain.encode():
        c = chr(byte)
        if byte < 128 and (c.isalnum() or c in '-._~' + keep) \
                and rnd.random() < 0.8:
            out.append(c)
        else:
            out.append(('%%%02x' if rnd.random() < 0.5 else '%%%02X') % byte)
    return ''.join(out)


class Clock(datetime.datetime):
    at = None

    @classmethod
    def utcnow(cls):
        return cls.at


class Module:
    datetime = Clock


botocore.auth.datetime = Module

cases, expected = [], []

for n in range(COUNT):
    at = datetime.datetime(1990, 1, 1) + datetime.timedelta(
        seconds=rnd.randint(0, 2**31))
    Clock.at = Clock(*at.timetuple()[:6])

    key = '/' + text(30).replace('//', '/').replace('/./', '/')
    params = [(text(6, least=1), text(8)) for _ in range(rnd.randint(0, 4))]
    credentials = Credentials(text(20, 'ABC0', 1), text(40, 'abc/+=', 1),
                              rnd.choice([None, text(60, 'abc/+=', 1)]))
    region = rnd.choice(['us-east-1', 'eu-central-1', 'auto'])
    host = rnd.choice(['s3.example.com', '127.0.0.1:9000', 'b.s3.test:8443'])
    method = rnd.choice(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'])
    presign = rnd.random() < 0.4

    if presign:                 # botocore takes one of each name there
        params = list(dict(params).items())

    request = AWSRequest(method=method,
                         url='http://' + host + quote(key, safe='/~'),
                         params=params)
    request.headers['Host'] = host
    headers = [['Host', host]]

    if not presign:
        payload = rnd.choice(['UNSIGNED-PAYLOAD', '%064x' % rnd.getrandbits(256)])
        more = [('X-Amz-Content-SHA256', payload),
                ('X-Amz-Date', at.strftime('%Y%m%dT%H%M%SZ'))]
        if credentials.token:
            more.append(('x-amz-security-token', credentials.token))
        for i in range(rnd.randint(0, 4)):
            more.append((rnd.choice(['X-Amz-Meta-%d', 'x-amz-m-%d']) % i,
                         text(12, 'abc  \t,;"=', 1)))
        rnd.shuffle(more)
        for name, value in more:
            request.headers[name] = value
            headers.append([name, value])

    case = {
        'access': credentials.access_key, 'secret': credentials.secret_key,
        'session': credentials.token or '', 'region': region,
        'time': calendar.timegm(at.timetuple()), 'method': method,
        'path': some(key, '/@:$+'),
        'query': '&'.join(some(a, '/@:') + '=' + some(b, '/@:')
                          for a, b in rnd.sample(params, len(params))),
        'headers': headers,
    }

    if presign:
        case['expires'] = rnd.randint(1, 604800)
        botocore.auth.S3SigV4QueryAuth(
            credentials, 's3', region, case['expires']).add_auth(request)
        expected.append(request.url.rsplit('X-Amz-Signature=', 1)[1])

    else:
        case['payload'] = payload
        auth = botocore.auth.S3SigV4Auth(credentials, 's3', region)
        request.context['timestamp'] = at.strftime('%Y%m%dT%H%M%SZ')
        canonical = auth.canonical_request(request)
        expected.append(auth.signature(
            auth.string_to_sign(request, canonical), request))

    cases.append(case)

run = subprocess.run([os.path.join(os.environ['TOOLS'], 's3_sign')],
                     input=''.join(json.dumps(c) + '\n' for c in cases),
                     stdout=subprocess.PIPE, text=True, check=True)
got = run.stdout.split('\n')[:-1]
wrong = [n for n in range(COUNT) if n >= len(got) or got[n] != expected[n]]

print('1..1')
print('%s 1 - %d of %d random requests have the signature that botocore '
      'makes' % ('not ok' if wrong else 'ok', COUNT - len(wrong), COUNT))

for n in wrong[:5]:
    print('# seed %d, %s: %s' % (SEED, 'presigned' if 'expires' in cases[n]
                                 else 'signed', json.dumps(cases[n])))

sys.exit(1 if wrong else 0)
