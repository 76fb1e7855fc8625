#!/usr/bin/env python3
"""Checks a layer's zip file: what Lambda needs to start the extension on every runtime, its size, and
that nothing of the building machine is in it.

    deploy/layer/check.py target/layer/lambda-triage-x86_64.zip

exits with 1, a line for each problem, if it is no good. The layer and the architecture are in the file's
name.
"""

import collections
import hashlib
import pathlib
import re
import struct
import sys
import zipfile

Target = collections.namedtuple("Target", "triple machine loader")

# Lambda's names of architectures; machine is ELF's e_machine.
TARGETS = {
    "x86_64": Target("x86_64-unknown-linux-gnu", 62, "/lib64/ld-linux-x86-64.so.2"),
    "arm64": Target("aarch64-unknown-linux-gnu", 183, "/lib/ld-linux-aarch64.so.1"),
}
# Lambda starts each executable in /opt/extensions; a layer is unpacked into /opt.
ENTRY = "extensions/lambda-triage"
MODE = 0o755
# Of Amazon Linux 2, the oldest that a managed runtime has (provided.al2, java11, …).
GLIBC = "2.26"
# A cold start reads the whole file. The lean layer has no client of CloudWatch's API.
Layer = collections.namedtuple("Layer", "binary_kb zip_kb has_client")
LAYERS = {
    "lambda-triage": Layer(4_300, 2_200, True),
    "lambda-triage-lean": Layer(2_250, 1_150, False),
}
# The operation's name is part of each request.
CLIENT = b"PutMetricData"
# Libraries of glibc itself: there wherever glibc is.
LIBRARIES = re.compile(rb"\0((?:lib[\w+-]+|ld-linux[\w-]*)\.so(?:\.\d+)*)(?=\0)")
GLIBC_LIBRARIES = re.compile(rb"(lib(c|m|dl|pthread|rt|util)|ld-linux[\w-]*)\.so(\.\d+)*")
# Folders in which people and build servers keep sources and tools. /rustc/<commit>/ is everybody's.
BUILD_PATH = re.compile(rb"(?:/(?:root|home|Users|build|builds|work|workspace|tmp|usr/local)/"
                        rb"|/?\.cargo/|index\.crates\.io|\.rustup/)[\w./+-]*")


def version(text):
    return tuple(int(part) for part in text.split("."))


def layer_and_architecture(archive):
    """What a zip file says that it is by its name: lambda-triage-lean-x86_64.zip."""
    layer, _, architecture = pathlib.Path(archive).stem.rpartition("-")
    return layer, architecture


def problems_of_binary(binary, target, layer):
    if binary[:4] != b"\x7fELF" or binary[4] != 2 or len(binary) < 64:
        return ["it is no 64-bit ELF executable"]
    found = []
    (machine,) = struct.unpack_from("<H", binary, 18)
    if machine != target.machine:
        found.append(f"it is built for the ELF machine {machine}, not {target.machine}")
    if target.loader.encode() + b"\0" not in binary:
        found.append(f"its loader is not {target.loader}")
    # The names of symbol versions stand in .dynstr, each with its NUL.
    versions = {v.decode() for v in re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", binary)}
    newer = sorted((v for v in versions if version(v) > version(GLIBC)), key=version)
    if newer:
        found.append(f"it needs GLIBC {newer[-1]}, newer than {GLIBC}")
    if not versions:
        found.append("it names no version of GLIBC: what it needs is not known")
    others = {name.decode() for name in LIBRARIES.findall(binary)
              if not GLIBC_LIBRARIES.fullmatch(name)}
    # libgcc_s unwinds a panic; every image with glibc has it, but not every lean one.
    if others:
        found.append(f"it links {', '.join(sorted(others))}")
    paths = {path.decode(errors="replace") for path in BUILD_PATH.findall(binary)}
    if paths:
        found.append(f"it holds paths of the building machine: {', '.join(sorted(paths)[:3])}")
    if len(binary) > layer.binary_kb * 1024:
        found.append(f"it has {len(binary) // 1024} KB, more than {layer.binary_kb}")
    if (CLIENT in binary) != layer.has_client:
        found.append(f"it has {'no' if layer.has_client else 'a'} client of CloudWatch's API")
    return found


def problems(archive):
    """A sentence for each thing that is wrong with the zip file; none if it is good."""
    layer_name, architecture = layer_and_architecture(archive)
    if layer_name not in LAYERS:
        return [f"there is no layer {layer_name}"]
    if architecture not in TARGETS:
        return [f"there is no architecture {architecture}"]
    layer = LAYERS[layer_name]
    try:
        with zipfile.ZipFile(archive) as reader:
            entries = reader.infolist()
            contents = {entry.filename: reader.read(entry) for entry in entries}
    except (zipfile.BadZipFile, OSError) as error:
        return [f"it cannot be read: {error}"]
    found = []
    if [entry.filename for entry in entries] != [ENTRY]:
        found.append(f"it holds {sorted(contents)}, not {ENTRY} alone")
    for entry in entries:
        mode = entry.external_attr >> 16 & 0o7777
        if entry.filename == ENTRY and (entry.create_system != 3 or mode != MODE):
            found.append(f"{ENTRY} has the mode {mode:o}, not {MODE:o}")
    size = pathlib.Path(archive).stat().st_size
    if size > layer.zip_kb * 1024:
        found.append(f"it has {size // 1024} KB, more than {layer.zip_kb}")
    if ENTRY in contents:
        found += problems_of_binary(contents[ENTRY], TARGETS[architecture], layer)
    return found


def summary(archive):
    """One line about a good zip file."""
    layer, architecture = layer_and_architecture(archive)
    data = pathlib.Path(archive).read_bytes()
    with zipfile.ZipFile(archive) as reader:
        binary = reader.read(ENTRY)
    versions = re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", binary)
    newest = max((v.decode() for v in versions), key=version)
    return (f"{archive}: {layer} for {architecture}, {len(data) // 1024} KB ({len(binary) // 1024} KB unpacked), "
            f"GLIBC {newest}, sha256 {hashlib.sha256(data).hexdigest()}")


def main():
    if len(sys.argv) < 2:
        sys.exit("check.py: which zip file?")
    bad = False
    for archive in sys.argv[1:]:
        found = problems(archive)
        print("\n  ".join([f"{archive} is no good:", *found]) if found else summary(archive))
        bad = bad or bool(found)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
