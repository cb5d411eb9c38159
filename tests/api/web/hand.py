"""Someone who labels in the grid and knows the truth: by mouse or by keyboard alone, every action counted."""

from collections import Counter
from collections.abc import Mapping

from playwright.sync_api import Page, expect

COLUMNS = 8


class Hand:
    """One hand on one page of the grid; `actions` are clicks and key presses."""

    def __init__(self, page: Page, truth: Mapping[str, str], classes: tuple[str, ...]) -> None:
        self.page, self.actions = page, 0
        self._truth, self._classes = truth, classes

    def label_all_by_mouse(self) -> None:
        """Label until the queue is empty, as the truth is."""
        while items := self.items():
            usual, exceptions = self._plan(items)
            if self._preset() != usual:
                self._click(f"[data-preset={usual}]")
            for index in exceptions:
                self._click(f"[data-cells] li:nth-child({index + 1}) button")
            self._click("[data-confirm-page]")

    def label_all_by_keyboard(self) -> None:
        """The same without a mouse."""
        while items := self.items():
            self.label_page_by_keyboard(items)

    def label_page_by_keyboard(self, items: list[str]) -> None:
        """Choose the class of most, walk to the exceptions, confirm."""
        usual, exceptions = self._plan(items)
        if self._preset() != usual:
            self.press(f"Shift+Digit{self._classes.index(usual) + 1}")
        at = 0
        for index in exceptions:
            down, across = index // COLUMNS - at // COLUMNS, index % COLUMNS - at % COLUMNS
            for _ in range(down):
                self.press("ArrowDown")
            for _ in range(abs(across)):
                self.press("ArrowRight" if across > 0 else "ArrowLeft")
            self.press("Space")
            at = index
        self.press("Enter")

    def press(self, key: str) -> None:
        """One key, or several at once."""
        self.page.keyboard.press(key)
        self.actions += 1

    def items(self) -> list[str]:
        """The items on the page; none once the queue is empty, which the service has said."""
        shown = self.page.locator("[data-cells] li:not([hidden]):visible, [data-done]:visible")
        expect(shown.first).to_be_visible(timeout=20_000)
        found = "(all) => all.filter((each) => each.dataset.item).map((each) => each.dataset.item)"
        return list(shown.evaluate_all(found))

    def _plan(self, items: list[str]) -> tuple[str, list[int]]:
        wanted = [self._truth[item] for item in items]
        ((usual, _),) = Counter(wanted).most_common(1)
        return usual, [index for index, name in enumerate(wanted) if name != usual]

    def _preset(self) -> str:
        return str(self.page.locator("[data-preset][aria-pressed=true]").get_attribute("data-preset"))

    def _click(self, selector: str) -> None:
        self.page.locator(selector).click()
        self.actions += 1
