import json
import os
import time
import urllib.request

url = os.environ.get("SLUICE_URL", "http://127.0.0.1:8080") + "/api/v1/publish"
headers = {"Authorization": "Bearer " + os.environ["SLUICE_API_KEY"]}
price = 100
while True:
    price += 1
    body = {"channel": "all", "event": "price", "args": ["ACME", price], "ephemeral": True}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers))
    time.sleep(0.1)
