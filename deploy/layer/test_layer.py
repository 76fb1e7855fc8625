"""Tests of the layer's scripts: python3 -m unittest discover --start-directory deploy/layer"""

import os
import pathlib
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

import check

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent


def binary(machine=62, loader=check.TARGETS["x86_64"].loader, strings=("GLIBC_2.25",), lean=False):
    """As much of an ELF executable as is looked at."""
    client = [] if lean else [check.CLIENT.decode()]
    text = b"\0".join(part.encode() for part in ("", loader, "libc.so.6", *strings, *client, ""))
    return b"\x7fELF\x02".ljust(18, b"\0") + struct.pack("<H", machine) + bytes(60) + text


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def archive(self, content, name="x86_64", entry=check.ENTRY, mode=check.MODE, more=()):
        path = self.folder / f"lambda-triage-{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as writer:
            info = zipfile.ZipInfo(entry)
            info.create_system = 3
            info.external_attr = (0o100000 | mode) << 16
            writer.writestr(info, content)
            for other in more:
                writer.writestr(other, "")
        return path


class Check(Folder):
    def assert_bad(self, path, text):
        problems = check.problems(path)
        self.assertTrue(any(text in problem for problem in problems), f"{text!r}: {problems}")

    def test_a_good_one_has_no_problems(self):
        self.assertEqual(check.problems(self.archive(binary())), [])
        arm = binary(183, check.TARGETS["arm64"].loader)
        self.assertEqual(check.problems(self.archive(arm, "arm64")), [])
        self.assertEqual(check.problems(self.archive(binary(lean=True), "lean-x86_64")), [])

    def test_each_layer_has_what_it_is_named_for(self):
        self.assert_bad(self.archive(binary(lean=True)), "no client of CloudWatch's API")
        self.assert_bad(self.archive(binary(), "lean-x86_64"), "a client of CloudWatch's API")
        self.assert_bad(self.archive(binary(), "fat-x86_64"), "no layer lambda-triage-fat")

    def test_the_path_and_the_mode_must_be_right(self):
        self.assert_bad(self.archive(binary(), entry="lambda-triage"), "not extensions/lambda-triage")
        self.assert_bad(self.archive(binary(), more=["README"]), "not extensions/lambda-triage alone")
        self.assert_bad(self.archive(binary(), mode=0o644), "mode 644")

    def test_nothing_newer_than_amazon_linux_2_is_linked(self):
        for newer in ("2.27", "2.34", "2.100", "3.0"):
            path = self.archive(binary(strings=("GLIBC_2.2.5", f"GLIBC_{newer}")))
            self.assert_bad(path, f"GLIBC {newer}, newer than 2.26")
        self.assertEqual(check.problems(self.archive(binary(strings=("GLIBC_2.26",)))), [])
        self.assert_bad(self.archive(binary(strings=())), "names no version")
        self.assert_bad(self.archive(binary(strings=("GLIBC_2.2.5", "libssl.so.3"))), "libssl.so.3")

    def test_it_is_for_the_architecture_of_its_name(self):
        self.assert_bad(self.archive(binary(183)), "ELF machine 183")
        self.assert_bad(self.archive(binary(loader="/lib/ld-musl-x86_64.so.1")), "loader")
        self.assert_bad(self.archive(b"#!/bin/sh\n"), "no 64-bit ELF")
        self.assert_bad(self.archive(binary(), "riscv64"), "no architecture riscv64")

    def test_no_path_of_the_building_machine_is_in_it(self):
        # Put together here, as a path like these must not stand in the sources either.
        for path in ("/ho" + "me/ada/src/main.rs", "/ro" + "ot/x", "/t" + "mp/y", ".ca" + "rgo/registry"):
            self.assert_bad(self.archive(binary(strings=("GLIBC_2.2.5", path))), path)
        fine = binary(strings=("GLIBC_2.2.5", "/rustc/59807616/library/std", "/tmp", "/var/task/"))
        self.assertEqual(check.problems(self.archive(fine)), [])

    def test_the_size_is_limited(self):
        for layer, name in (("lambda-triage", "x86_64"), ("lambda-triage-lean", "lean-x86_64")):
            layer = check.LAYERS[layer]
            good = binary(lean=not layer.has_client)
            self.assert_bad(self.archive(good + os.urandom((layer.zip_kb + 1) * 1024), name),
                            f"more than {layer.zip_kb}")
            self.assert_bad(self.archive(good + bytes(layer.binary_kb * 1024), name),
                            f"more than {layer.binary_kb}")

    def test_a_file_that_is_no_archive_is_said_to_be_none(self):
        path = self.folder / "lambda-triage-x86_64.zip"
        path.write_bytes(b"PK\3\4 and no more")
        self.assert_bad(path, "cannot be read")
        self.assert_bad(self.folder / "lambda-triage-arm64.zip", "cannot be read")


# Answers as the AWS command line tool does, and notes what it was asked.
FAKE_AWS = """#!/bin/sh
echo "$*" >> "{log}"
case "$*" in
  "sts "*) exit {sts} ;;
  *list-layer-versions*) echo 3 ;;
  *get-layer-version*) echo '{{"LayerVersionArn": "arn:3", "Content": {{"CodeSha256": "{digest}"}}}}' ;;
  *"--region eu-nowhere-1"*) echo "Could not connect to the endpoint URL" >&2; exit 255 ;;
  *publish-layer-version*) echo "arn:4" ;;
esac
"""


class Publish(Folder):
    def publish(self, *arguments, path=None):
        environment = {**os.environ, **({"PATH": str(path)} if path else {})}
        command = [sys.executable, HERE / "publish", "--from", self.folder, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def fake(self, digest="", sts=0):
        tools = self.folder / "tools"
        tools.mkdir()
        aws = tools / "aws"
        aws.write_text(FAKE_AWS.format(log=self.folder / "asked", digest=digest, sts=sts))
        aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
        return f"{tools}:/usr/bin:/bin"

    def asked(self):
        return (self.folder / "asked").read_text().splitlines()

    def test_a_dry_run_needs_no_account(self):
        self.archive(binary())
        done = self.publish("--dry-run", "eu-west-1", "us-gov-east-1", "eu-west-1", path="/nowhere")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertIn("--layer-name lambda-triage-x86-64", lines[0])
        self.assertIn("--compatible-architectures x86_64", lines[0])
        self.assertIn("--region us-gov-east-1", lines[1])

    def test_every_layer_that_is_there_goes_to_every_region(self):
        self.archive(binary())
        self.archive(binary(183, check.TARGETS["arm64"].loader), "arm64")
        self.archive(binary(lean=True), "lean-x86_64")
        done = self.publish("eu-west-1", "us-east-1", path=self.fake())
        self.assertEqual((done.returncode, done.stdout), (0, "arn:4\n" * 6), done.stderr)
        asked = [line.split() for line in self.asked() if "publish-layer-version" in line]
        sent = {tuple(line[line.index(option) + 1]
                      for option in ("--region", "--layer-name", "--compatible-architectures"))
                for line in asked}
        self.assertEqual(sent, {
            (region, *layer)
            for region in ("eu-west-1", "us-east-1")
            for layer in (("lambda-triage-x86-64", "x86_64"), ("lambda-triage-arm64", "arm64"),
                          ("lambda-triage-lean-x86-64", "x86_64"))
        })

    def test_what_is_there_already_is_not_published_again(self):
        import base64
        import hashlib
        data = self.archive(binary()).read_bytes()
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        done = self.publish("eu-west-1", path=self.fake(digest))
        self.assertEqual((done.returncode, done.stdout), (0, "arn:3 (was there already)\n"))
        self.assertFalse([line for line in self.asked() if "publish-layer-version" in line])

    def test_what_is_wrong_is_said_before_anything_is_done(self):
        self.assertIn("deploy/layer/build makes it", self.publish("eu-west-1").stderr)
        self.archive(binary(strings=("GLIBC_2.34",)))
        self.assertIn("newer than 2.26", self.publish("--dry-run", "eu-west-1").stderr)
        self.archive(binary())
        for wrong in ("eu-west1", "EU-WEST-1", "ireland", ""):
            self.assertIn("no region's name", self.publish("eu-west-1", wrong).stderr)
        self.assertIn("there is no aws", self.publish("eu-west-1", path="/nowhere").stderr)
        done = self.publish("eu-west-1", path=self.fake(sts=255))
        self.assertIn("credentials do not work", done.stderr)
        self.assertEqual(len(self.asked()), 1)

    def test_a_region_that_fails_does_not_keep_the_others_from_it(self):
        self.archive(binary())
        done = self.publish("eu-nowhere-1", "eu-west-1", path=self.fake())
        self.assertEqual(done.returncode, 1)
        self.assertIn("arn:4", done.stdout)
        self.assertIn("not published: eu-nowhere-1, lambda-triage-x86-64", done.stderr)


class Image(unittest.TestCase):
    def test_the_images_copy_what_is_built_to_where_lambda_looks(self):
        dockerfile = (DEPLOY / "image" / "Dockerfile").read_text()
        self.assertIn("FROM scratch", dockerfile)
        self.assertIn("COPY extensions/ /opt/extensions/", dockerfile)
        example = (DEPLOY / "image" / "function.Dockerfile").read_text()
        self.assertIn("COPY --from=lambda-triage /opt/extensions/ /opt/extensions/", example)
        # build leaves the binary for the images below the name of each layer and architecture.
        self.assertIn('out / f"{variant}{name}" / "extensions" / "lambda-triage"', (HERE / "build").read_text())


if __name__ == "__main__":
    unittest.main()
