"""In which virtual machine or container supd runs, by systemd's names (systemd-detect-virt(1)), and on which architecture.

Decided from files alone, once: what /proc and /sys say. systemd also asks the CPU itself, which Python cannot; a hypervisor that
shows in /proc/cpuinfo but leaves no name in the firmware's strings is "vm-other" here, where systemd may know it.
A container hides the machine it runs in, as in systemd.
"""

import os

# What the firmware calls itself begins with -> the machine (systemd's dmi_vendor_table).
_FIRMWARE = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
)
_FIRMWARE_FILES = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version")

_CONTAINERS = frozenset(
    ("openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch", "container-other")
)

_ARCHITECTURES = {
    "x86_64": "x86-64",
    **dict.fromkeys(("i386", "i486", "i586", "i686"), "x86"),
    "aarch64": "arm64",
    "aarch64_be": "arm64-be",
    "ppc64le": "ppc64-le",
    "ppcle": "ppc-le",
    "mips64": "mips64",
    "loongarch64": "loongarch64",
}

# A fact about the machine that cannot change while supd runs.
_found: tuple[str, str] | None = None


def detect() -> tuple[str, str]:
    """(machine, container): the names, "" for none."""
    global _found
    if _found is None:
        _found = (_machine(), _container())
    return _found


def matches(argument: str) -> bool:
    """ConditionVirtualization= but for yes and no: "vm", "container", "private-users", or one name."""
    machine, container = detect()
    if argument == "vm":
        return bool(machine) and not container
    if argument == "container":
        return bool(container)
    if argument == "private-users":
        return _has_private_users()
    return argument != "" and argument == (container or machine)


def architecture() -> str:
    """The machine's architecture by systemd's name ("x86-64"); the kernel's own word where both agree."""
    machine = os.uname().machine
    if machine.startswith("armv"):
        return "arm-be" if machine.endswith("b") else "arm"
    return _ARCHITECTURES.get(machine, machine)


def _container() -> str:
    if os.path.exists("/proc/vz") and not os.path.exists("/proc/bc"):
        return "openvz"
    release = _read("/proc/sys/kernel/osrelease")
    if b"Microsoft" in release or b"WSL" in release:
        return "wsl"
    answer = _read("/run/host/container-manager") or _read("/run/systemd/container") or _container_of_init()
    said = answer.decode("ascii", "replace").strip()
    if said == "oci":
        said = _by_marker() or "container-other"
    if said:
        return said if said in _CONTAINERS else "container-other"
    return _by_marker()


def _by_marker() -> str:
    """The files container engines leave in the root directory."""
    if os.path.exists("/run/.containerenv"):
        return "podman"
    return "docker" if os.path.exists("/.dockerenv") else ""


def _container_of_init() -> bytes:
    for variable in _read("/proc/1/environ").split(b"\0"):
        if variable.startswith(b"container="):
            return variable.removeprefix(b"container=")
    return b""


def _machine() -> str:
    cpu = _read("/proc/cpuinfo")
    if b"User Mode Linux" in cpu:
        return "uml"
    if os.path.isdir("/proc/xen") and b"control_d" not in _read("/proc/xen/capabilities"):
        return "xen"
    for name in _FIRMWARE_FILES:
        text = _read(f"/sys/class/dmi/id/{name}").decode("ascii", "replace")
        for beginning, machine in _FIRMWARE:
            if text.startswith(beginning):
                return machine
    if b"linux,kvm" in _read("/proc/device-tree/hypervisor/compatible"):
        return "kvm"
    if b"qemu" in _read("/proc/device-tree/compatible"):
        return "qemu"
    has_flag = any(b" hypervisor" in line for line in cpu.split(b"\n") if line.startswith(b"flags"))
    return "vm-other" if has_flag else ""


def _has_private_users() -> bool:
    """Whether this is not the first user namespace: that one maps every number to itself (running_in_userns())."""
    lines = _read("/proc/self/uid_map").split(b"\n")
    return bool(lines[0]) and lines[0].split() != [b"0", b"0", b"4294967295"]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
