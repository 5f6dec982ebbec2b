import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

todos = {}
INVALID = {"error": "payload is invalid",
           "errorDetails": [{"path": "title", "message": '"title" is not allowed to be empty'}]}
MISSING = {"error": "entity not found"}


def others(event, data):
    return {"emit": [{"to": "all", "except": ["me"], "event": event, "data": data}]}


def answer(event, todo=None):
    if event == "todo:list":
        return {"ack": {"data": list(todos.values())}}
    if event == "todo:delete":
        return others("todo:deleted", todo) if todos.pop(todo, None) else {"ack": MISSING}
    if event == "todo:update" and todo["id"] not in todos:
        return {"ack": MISSING}
    if not str(todo.get("title") or "").strip():
        return {"ack": INVALID}
    todo.setdefault("id", f"t{len(todos) + 1}")
    todos[todo["id"]] = todo
    if event == "todo:create":
        return {"ack": {"data": todo["id"]}, **others("todo:created", todo)}
    return others("todo:updated", todo)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer(call["event"], *call["args"])).encode())


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 3000))), Handler).serve_forever()
