"""llama.cpp's server. Runs in the environment `.llama`.

    python serve.py PORT MODEL [PROJECTOR]

It prints its address when it listens, and ends with its standard input.
"""

import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[2]
parameters.mmproj.path = sys.argv[3] if len(sys.argv) > 3 else ""
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[1])
parameters.n_ctx = 2048
parameters.n_parallel = 1
parameters.use_jinja = True
parameters.warmup = False
parameters.cpuparams.n_threads = 1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
