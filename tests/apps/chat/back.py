import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

users = {}  # names by socket


def others(event, data):
    return {"to": "all", "except": ["me"], "event": event, "data": data}


def answer(call):
    socket, state, event = call.get("socket"), call.get("state"), call.get("event")
    if call.get("type") == "disconnect" and users.pop(socket, None):
        return {"emit": [{"to": "all", "event": "user left", "data": {**state, "numUsers": len(users)}}]}
    if event == "add user" and socket not in users:
        users[socket] = name = call["args"][0]
        count = {"numUsers": len(users)}
        welcome = {"to": "me", "event": "login", "data": count}
        return {"state": {"username": name}, "emit": [welcome, others("user joined", {"username": name, **count})]}
    if event == "new message":
        return {"emit": [others(event, {**state, "message": call["args"][0]})]}
    if event in ("typing", "stop typing"):
        return {"emit": [others(event, state)]}
    return {}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer(call)).encode())


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 3000))), Handler).serve_forever()
