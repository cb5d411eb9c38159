"""A browser without its engine: cookies, what it says of where a request comes from, and forms."""

from typing import Any

import requests

from tests.api.server import ADMIN, ApiServer


class Browser:
    """Asks as a page of this site does."""

    def __init__(self, api: ApiServer) -> None:
        self.url = api.url
        self.session = requests.Session()
        self.session.headers.update({"Accept": "text/html,image/webp", "Sec-Fetch-Site": "same-origin"})

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; a redirection is shown and not followed."""
        return self.session.request(method, self.url + path, timeout=60, allow_redirects=False, **options)

    def log_in(self, name: str = ADMIN[0], password: str = ADMIN[1], **more: str) -> requests.Response:
        """Send the form of the login."""
        return self.ask("POST", "/login", data={"username": name, "password": password, **more})


def logged_in(api: ApiServer, name: str = ADMIN[0], password: str = ADMIN[1]) -> Browser:
    """A browser with a session."""
    browser = Browser(api)
    answer = browser.log_in(name, password)
    assert answer.status_code == 303, answer.text
    return browser
