"""Run the tests in this folder (all, or those named) and close with the line `N passed, N failed`."""

import pathlib
import sys
import unittest


class CountingResult(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main(names):
    loader = unittest.TestLoader()
    folder = str(pathlib.Path(__file__).parent)
    suite = loader.loadTestsFromNames(names) if names else loader.discover(folder)
    runner = unittest.TextTestRunner(stream=sys.stdout, descriptions=False, verbosity=2, resultclass=CountingResult)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed")
    return 0 if result.passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
