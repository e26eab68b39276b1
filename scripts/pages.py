#!/usr/bin/env python3
"""The pages of nodes as a browser has them: what the browser tests and the screenshots share."""

import base64, contextlib, os, shutil, time

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from journal_story import Broken, hold, until


@contextlib.contextmanager
def browser(width=1280, height=900, dark=False, script=True, language="en", trusting=False, film=None):
    """A fresh headless Chromium with a profile of its own; `trusting`, as whoever goes on after a warning; its camera
    sees `film`."""
    options = Options()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--disable-gpu", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--force-prefers-reduced-motion",
                     f"--window-size={width},{height}", f"--accept-lang={language}"):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
    if film:
        for argument in ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                         f"--use-file-for-fake-video-capture={film}"):
            options.add_argument(argument)
    options.accept_insecure_certs = trusting
    preferences = {"intl.accept_languages": language}
    if not script:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(30)
    if dark:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    try:
        yield driver
    finally:
        driver.quit()


class Pages:
    """One studio's pages in one browser."""

    def __init__(self, studio, driver, link=None):
        self.studio, self.driver = studio, driver
        link = link or studio("open")["link"]
        self.base = link.split("/open/")[0]
        driver.get(link)
        self.wait(lambda: driver.current_url == self.base + "/", "the link opens Today")

    def wait(self, check, what, seconds=45):
        def quietly(_):
            try:
                return check()
            except Exception:
                return False
        try:
            return WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(quietly)
        except Exception:
            raise Broken(f"{self.studio.name}'s page, {what}: {self.driver.current_url}\n{self.text()[:1500]}")

    def go(self, path):
        try:
            self.driver.get(self.base + path)
        except TimeoutException:
            # A browser on a busy machine hangs now and then; a node that does is found out here.
            begun = time.monotonic()
            self.studio("status")
            took = time.monotonic() - begun
            if took > 5:
                raise Broken(f"{self.studio.name} answers after {took:.1f} s, and {path} was not shown in 30 s")
            print(f"the browser did not show {path} in 30 s, the node answers after {took:.2f} s: once more", flush=True)
            self.driver.get(self.base + path)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def fill(self, form, **values):
        """`o_units="10"` goes to the field `o.units`."""
        for name, value in values.items():
            field = form.find_element(By.NAME, name.replace("__", "-").replace("_", ".", 1))
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            else:
                self.driver.execute_script("arguments[0].value = arguments[1]", field, value)

    def send(self, form):
        """Review, read the preview, sign. Works with and without script; gives what the preview said."""
        form.find_element(By.CSS_SELECTOR, "button").click()
        preview = self.wait(lambda: self.one("[data-preview]"), "shows a preview")
        said = preview.text
        before = self.driver.find_element(By.TAG_NAME, "html")
        preview.find_element(By.CSS_SELECTOR, "button.primary").click()
        self.wait(lambda: self.one("#room > .notice.good[role=status]") and not self.all("dialog[open]"), "says that it is signed")
        return said

    def act(self, holding):
        """The form on this page whose hidden fields hold this text, opened."""
        def find():
            for form in self.all("form.act"):
                fields = [f.get_attribute("value") for f in form.find_elements(By.CSS_SELECTOR, "input[type=hidden]")]
                if holding in fields:
                    self.driver.execute_script(
                        "for (let d = arguments[0].closest('details'); d; d = null) d.open = true", form)
                    return form
        return self.wait(find, f"offers {holding}")


def season(story):
    """A season half over: things to sign, to pay, to confirm, and a market with prices."""
    z, d, s = (story.studios[n] for n in ("zhijian", "dongguan", "shouzuo"))
    story.open_the_network()
    story.option()
    for studio, week, total, premium, strike in (
            ("dongguan", 27, 240, "400.00", "17.50"), ("zhebi", 27, 150, "260.00", "19.00"),
            ("jike", 27, 90, "90.00", "21.40"), ("dongguan", 34, 300, "450.00", "16.00"),
            ("zhebi", 34, 200, "180.00", "18.20")):
        one = story.studios[studio]
        line = one("line", "declare", resource="print/notebook/a5", start=f"+{week}d", end=f"+{week + 7}d",
                   unit="C62", total=total)["id"]
        one("offer", "publish", template="capacity-option", line=line, max_units=total - total % 10, lot=10, until="+10d",
            premium=premium, strike=strike, remedy="9.00", expiry=f"+{week + 7}d", deliver_by=f"+{week + 30}d")
    for name, place in (("zhijian", "上海"), ("dongguan", "东莞"), ("zhebi", "杭州"), ("jike", "义乌"), ("shouzuo", "苏州")):
        story.studios[name]("profile", "set", place=place)
    for name, resource, week, units, most in (("shouzuo", "engraving/pen", 41, 60, "7.50"), ("jike", "packaging/gift", 27, 120, "9.00")):
        story.studios[name]("wish", "publish", resource=resource, start=f"+{week}d", end=f"+{week + 7}d", units=units, most=most,
                            until="+12d")
    for week, total in enumerate((40, 40, 60, 60, 80, 100, 120, 60, 40, 40)):
        for resource, share in (("engraving/pen", 1), ("packaging/gift", 3)):
            z("line", "declare", resource=resource, start=f"+{10 + 7 * week}d", end=f"+{17 + 7 * week}d", unit="C62",
              total=total * share)
    lines = sorted((l for l in z("line", "show", resource="engraving/pen", issuer="me")["lines"]), key=lambda l: l["start"])
    # Others book some of these weeks.
    for line, units in zip(lines[2:6], (60, 40, 45, 30)):
        made = s("option", "buy", template="capacity-option", issuer="zhijian", holder="shouzuo", arbiter="zhongcai",
                 line=line["id"], units=units, lot=5, premium="80.00", strike="6.00", remedy="2.00", expiry="+120d",
                 deliver_by="+150d")["id"]
        parties = ["shouzuo", "zhijian", "zhongcai"]
        story.contracts[made] = parties
        for name in ("zhijian", "zhongcai"):
            studio = story.studios[name]
            until(lambda: studio.graded(made, "proposed", "agreed"), f"{name} has the proposal")
            studio("contract", "accept", contract=made)
        story.everywhere(made, "sequenced")
        if units != 30:
            story.pay(s, z, made)
    w = story.weicai
    ink = story.line(w, "ink/special", 100)
    story.agree(z, ["zhijian", "weicai", "zhongcai"], "call", "buy", line=ink, issuer="weicai", arbiter="zhongcai",
                units=100, premium="992.80", strike="80.00", market="92.00", remedy="12.00", expiry="+30d",
                deliver_by="+60d")
    set_line = story.line(d, "print/journal-set", 1000)
    made = story.agree(
        z, ["zhijian", "dongguan", "wenchuang", "zhongcai"], "production", "propose", line=set_line, buyer="zhijian",
        maker="dongguan", custodian="wenchuang", arbiter="zhongcai", units=1000, minimum=100, total="20000.00",
        demand_by="+5d", batch_max=20, batch_price="25.00", batches_end="+20d", dates="[+31d, +38d, +45d, +52d]")
    z("order", "place", contract=made, units=1000)
    story.pay(z, story.wenchuang, made)
    story.pay(story.wenchuang, d, made, d.record(made, "tranche", "out"))
    d("milestone", "sign", contract=made, evidence=story.evidence)
    tranche = z.record(made, "tranche", "stated")
    z("milestone", "confirm", contract=made, record=tranche, evidence=story.evidence)
    story.pay(story.wenchuang, d, made, tranche)
    d("milestone", "sign", contract=made, evidence=story.evidence)
    z.record(made, "tranche", "stated")
    story.milestone = made
    left = lines[8]["id"]
    right = story.line(s, "stamps/wood", 80)
    swap = s("swap", "propose", line=[left, right], left="zhijian", right="shouzuo", arbiter="zhongcai", left_units=20,
             left_price="12.00", right_units=30, right_price="9.00", deliver_by="+90d")["id"]
    until(lambda: z.graded(swap, "proposed"), "zhijian has the swap")
    story.say("a season half over: things to sign, to pay and to confirm")


def reads_well(driver, what):
    """Nothing on this page, opened as far as it opens, that WCAG 2.2 AA forbids and a checker finds."""
    import axe_playwright_python

    driver.execute_script(open(f"{os.path.dirname(axe_playwright_python.__file__)}/axe.min.js", encoding="utf-8").read())
    driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    found = driver.execute_async_script(
        "const done = arguments[0]; axe.run({runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
        ".then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + "
        "(n.any[0] || {}).message).join(' | '))))")
    hold(not found, f"{what}: " + "\n".join(found))


ROOMS = {"today": "/", "market": "/market", "capacity": "/capacity", "contracts": "/contracts", "ledger": "/ledger",
         "partners": "/partners", "node": "/node"}


def shoot(pages, folder, name):
    """The whole page."""
    driver = pages.driver
    size = driver.get_window_size()
    tall = driver.execute_script("return document.documentElement.scrollHeight")
    driver.set_window_size(size["width"], min(max(tall + 10, size["height"]), 3200))
    driver.save_screenshot(f"{folder}/{name}.png")
    driver.set_window_size(size["width"], size["height"])


def shoot_small(pages, folder, name):
    """What the window shows, in few bytes."""
    shot = pages.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 82})
    with open(f"{folder}/{name}.webp", "wb") as file:
        file.write(base64.b64decode(shot["data"]))
