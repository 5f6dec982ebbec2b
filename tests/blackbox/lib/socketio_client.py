"""A client of Socket.IO in Python, steered by a test: a command a line of JSON comes in, what
happened goes out so. Bytes are {"$bytes": base64}.

    socketio_client.py sync|async URL TRANSPORTS NAMESPACES AUTH

In:  {"emit": event, "data": [...], "nsp": "/", "ack": id or null}, {"disconnect": true}
Out: {"connected": nsp, "transport": name}, {"event": name, "args": [...], "nsp"},
     {"ack": id, "args": [...]}, {"disconnected": nsp}, {"failed": text}
"""

import asyncio
import base64
import json
import sys
import threading

import socketio

kind, url, transports, namespaces, auth = sys.argv[1:]
namespaces = namespaces.split(",")
output = threading.Lock()


def pack(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: pack(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(one) for one in value]
    return value


def unpack(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: unpack(one) for key, one in value.items()}
    if isinstance(value, list):
        return [unpack(one) for one in value]
    return value


def tell(**what):
    with output:
        print(json.dumps(pack(what)), flush=True)


def arguments(command):
    """What emit() takes: a tuple is several arguments."""
    ack = command.get("ack")

    def callback(*args):
        tell(ack=ack, args=args)

    return {
        "event": command["emit"],
        "data": tuple(unpack(command["data"])) or None,
        "namespace": command.get("nsp", "/"),
        "callback": None if ack is None else callback,
    }


def listen(client):
    def answer(name, nsp, args):
        tell(event=name, args=args, nsp=nsp)
        return ("yes", *args) if name == "message-to-ack" else None

    def handlers(nsp):
        def any_event(name, *args):
            return answer(name, nsp, args)

        async def any_event_later(name, *args):
            return answer(name, nsp, args)

        client.on("*", any_event if kind == "sync" else any_event_later, namespace=nsp)
        client.on("connect", lambda: tell(connected=nsp, transport=client.transport()), namespace=nsp)
        client.on("disconnect", lambda *_: tell(disconnected=nsp), namespace=nsp)
        client.on("connect_error", lambda *args: tell(refused=nsp, args=args), namespace=nsp)

    for nsp in namespaces:
        handlers(nsp)


HOW = {
    "transports": transports.split(","),
    "namespaces": namespaces,
    "auth": json.loads(auth),
    "wait_timeout": 10,
}
QUICK = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.3}


def run():
    client = socketio.Client(**QUICK)
    listen(client)
    client.connect(url, **HOW)
    for line in sys.stdin:
        command = json.loads(line)
        if "disconnect" in command:
            break
        client.emit(**arguments(command))
    client.disconnect()


async def run_async():
    client = socketio.AsyncClient(**QUICK)
    listen(client)
    await client.connect(url, **HOW)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if "disconnect" in command:
            break
        await client.emit(**arguments(command))
    await client.disconnect()


try:
    if kind == "sync":
        run()
    else:
        asyncio.run(run_async())
except socketio.exceptions.ConnectionError as error:
    tell(failed=str(error))
    sys.exit(1)
