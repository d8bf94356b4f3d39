"""What tests from outside share: a real Chromium."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


# One module at a time: while the driver runs, its event loop would be in the way of other tests' own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one module."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "Chromium is missing: `make system` installs it, as root, through apt"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture
def narrow_page(browser: Browser) -> Iterator[Page]:
    """A page of 320 pixels, in the dark, without scripts."""
    context = browser.new_context(
        java_script_enabled=False,
        ignore_https_errors=True,
        color_scheme="dark",
        viewport={"width": 320, "height": 640},
    )
    yield context.new_page()
    context.close()
