#!/usr/bin/env python3
"""A webhook that shows what it is sent: python3 receiver.py [PORT]

It agrees to get events, prints each on one line, and answers 200. While a file named `down` is beside
it in the current directory, it answers 500 instead, as a service that is having a bad day."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_OPTIONS(self):  # the handshake of CloudEvents
        self.answer(200, headers={'WebHook-Allowed-Origin': self.headers['WebHook-Request-Origin']})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        events = body if isinstance(body, list) else [body]
        if self.headers['aeg-event-type'] == 'SubscriptionValidation':  # that of Event Grid
            self.answer(200, {'validationResponse': events[0]['data']['validationCode']})
            return
        is_down = os.path.exists('down')
        attempt = int(self.headers.get('aeg-delivery-count', 0)) + 1
        for event in events:
            kind, data = event.get('eventType') or event.get('type'), json.dumps(event.get('data'))
            told = f'{kind} {event.get("subject", "-")} {data} attempt {attempt}'
            print('refused' if is_down else 'received', told, flush=True)
        self.answer(500 if is_down else 200)

    def answer(self, status, body=None, headers=None):
        content = json.dumps(body).encode() if body else b''
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


if __name__ == '__main__':
    address = ('127.0.0.1', int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
    print(f'listening on http://{address[0]}:{address[1]}/', flush=True)
    ThreadingHTTPServer(address, Receiver).serve_forever()
