import time

import common

print(common.NAME, flush=True)
time.sleep(3600)
