"""What the services of these tests run: small Python programs, written into the project, that do as they are told.

`said.py` reads lines from the FIFO given as its argument and carries each out, so that a test decides when a service speaks:

    notify KEY=VALUE ...          one datagram (fields are separated by blanks)
    store NAME TEXT               FDSTORE=1 with a memfd that holds TEXT
    store-pipe NAME               FDSTORE=1 with the reading end of a pipe, whose writing end stays here
    store-twice NAME              FDSTORE=1 with two duplicates of one memfd, which is the same each time
    send NAME COUNT OPTION ...    FDSTORE=1 with so many reading ends of pipes in one datagram, and these options
    close                         closes every writing end kept here: the stored ends hang up
    readers COUNT                 prints how many of those pipes have a reader, as soon as it is so many
    write NUMBER TEXT             TEXT and a newline on that descriptor
    print TEXT                    a line of output
    given                         prints LISTEN_* and what each passed descriptor holds
    open                          prints the numbers of all open descriptors
    exit CODE
"""

SAID = """
import array, os, select, socket, sys

notify_address = os.environ.get("NOTIFY_SOCKET", "")
kept = []
twice = -1

def send(text, descriptors=()):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(notify_address)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        sock.sendmsg([text.encode()], rights)
    for descriptor in descriptors:
        os.close(descriptor)

def memfd(text):
    descriptor = os.memfd_create("said")
    os.write(descriptor, text.encode())
    return descriptor

def pipe():
    reader, writer = os.pipe()
    kept.append(writer)
    return reader

def given():
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    count = int(os.environ.get("LISTEN_FDS", 0))
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid())
    held = []
    for number, name in zip(range(3, 3 + count), names, strict=False):
        try:
            held.append(name + "=" + os.pread(number, 100, 0).decode())
        except OSError:
            held.append(name + "=(no file)")
    print("given", count, is_ours if count else "-", *held, flush=True)

def barrier():
    # Everything sent before is handled when this returns (sd_notify_barrier(3)).
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(notify_address)
        sock.sendmsg([b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))])
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)

def readers(wanted):
    barrier()
    alive = set(kept)
    while True:
        poll = select.poll()
        for descriptor in alive:
            poll.register(descriptor, 0)
        alive -= {descriptor for descriptor, _ in poll.poll(10_000 if len(alive) > wanted else 0)}
        if len(alive) <= wanted:
            print("readers", len(alive), flush=True)
            return

def carry_out(verb, rest):
    global twice
    words = rest.split()
    if verb == "notify":
        send("\\n".join(words))
    elif verb == "store":
        send(f"FDSTORE=1\\nFDNAME={words[0]}", [memfd(words[1])])
    elif verb == "store-pipe":
        send(f"FDSTORE=1\\nFDNAME={words[0]}", [pipe()])
    elif verb == "store-twice":
        twice = twice if twice >= 0 else memfd("twice")
        send(f"FDSTORE=1\\nFDNAME={words[0]}", [os.dup(twice), os.dup(twice)])
    elif verb == "send":
        send("\\n".join(["FDSTORE=1", f"FDNAME={words[0]}", *words[2:]]), [pipe() for _ in range(int(words[1]))])
    elif verb == "close":
        for descriptor in kept:
            os.close(descriptor)
        kept.clear()
    elif verb == "readers":
        readers(int(words[0]))
    elif verb == "write":
        os.write(int(words[0]), rest.partition(" ")[2].encode() + b"\\n")
    elif verb == "print":
        print(rest, flush=True)
    elif verb == "given":
        given()
    elif verb == "open":
        # The listing, closed by now, and the FIFO are this program's own.
        numbers = sorted(int(name) for name in os.listdir("/proc/self/fd") if name != str(fifo))
        print("open", *(number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")), flush=True)
    elif verb == "exit":
        os._exit(int(words[0]))

if "greet" in sys.argv:
    given()
fifo = os.open(sys.argv[1], os.O_RDWR | os.O_CLOEXEC)
if "ready" in sys.argv:
    send("READY=1")
with open(fifo, encoding="utf-8") as orders:
    for line in orders:
        verb, _, rest = line.rstrip("\\n").partition(" ")
        carry_out(verb, rest)
"""
