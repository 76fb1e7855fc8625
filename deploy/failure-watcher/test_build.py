"""Tests of the build of the zip files: python3 -m unittest discover --start-directory deploy/failure-watcher"""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("watcher_build", str(HERE / "build"))
build = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(build)


class Pack(unittest.TestCase):
    def test_the_runtime_finds_its_bootstrap_and_the_bytes_are_the_same_each_time(self):
        with tempfile.TemporaryDirectory() as folder:
            binary, one, other = (pathlib.Path(folder) / name for name in ("watcher", "one.zip", "other.zip"))
            binary.write_bytes(b"\x7fELF of some kind")
            build.pack(binary, one)
            binary.touch()
            build.pack(binary, other)
            self.assertEqual(one.read_bytes(), other.read_bytes())
            with zipfile.ZipFile(one) as archive:
                [entry] = archive.infolist()
                self.assertEqual(entry.filename, "bootstrap")
                self.assertEqual(entry.external_attr >> 16, 0o100755)
                self.assertEqual(archive.read(entry), binary.read_bytes())

    def test_the_templates_take_the_files_that_it_makes(self):
        build_text = (HERE / "build").read_text()
        sam = (HERE.parent / "sam" / "failure-watcher.yaml").read_text()
        self.assertIn("CodeUri: ../../target/failure-watcher/failure-watcher.zip\n", sam)
        self.assertIn('"failure-watcher.zip"', build_text)
        terraform = (HERE.parent / "terraform" / "failure-watcher.tf").read_text()
        self.assertIn("failure-watcher-(x86_64|arm64)[.]zip", terraform)
        self.assertIn('f"failure-watcher-{name}.zip"', build_text)


if __name__ == "__main__":
    unittest.main()
