#!/usr/bin/env python3
"""The journal story on pages: a creator, a printer, a custodian and the arbiter click and type all of it, each in a
browser of her own, once in Chinese and once in English. Commands only make the homes, start the nodes, and at the end
say what the pages must say too. Whatever one signs must stand on the others' open pages within a second.
  scripts/pages_story.py --talea BINARY [--pictures FOLDER]"""

import argparse, concurrent.futures, contextlib, datetime, hashlib, os, re, subprocess, sys, tempfile, time

from selenium.common.exceptions import (
    ElementClickInterceptedException, ElementNotInteractableException, StaleElementReferenceException)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from journal_story import REPO, Broken, Story, at_once, hold
from pages import Pages, browser, reads_well, shoot

NAMES = ["zhijian", "dongguan", "wenchuang", "zhongcai"]
WORDS = {
    "en": {"accept": "Proposal to sign", "pay": "To pay", "confirm": "To confirm", "move": "Your move", "connected": "connected",
           "settled": "Settled", "fulfilled": "fulfilled", "code": "QR code",
           "net": ("received more than paid", "paid more than received"), "capacity": "Capacity option",
           "production": "Production by milestones", "offer": "Offer to all", "propose": "Propose to one", "by_you": "by you"},
    "zh": {"accept": "待签提议", "pay": "待付款", "confirm": "待确认收款", "move": "轮到您", "connected": "已连接",
           "settled": "已结清", "fulfilled": "已履行", "code": "二维码", "net": ("净收", "净付"),
           "capacity": "产能期权", "production": "里程碑生产",
           "offer": "公开报价", "propose": "向某人提议", "by_you": "（您方）"}}
UNDER_HER_HAND = (ElementClickInterceptedException, ElementNotInteractableException, StaleElementReferenceException)
# Everything on a page that a person would see at once, and when this text first stood there.
WATCH = """
const [selector, texts] = arguments;
const there = () => [...document.querySelectorAll(selector)].some((one) => texts.every((text) => one.innerText.includes(text)));
if (there()) return false;
window.same = true;
window.seen = null;
if (window.watching) window.watching.disconnect();
window.watching = new MutationObserver(() => { if (window.seen === null && there()) window.seen = Date.now(); });
window.watching.observe(document.documentElement, { childList: true, subtree: true, characterData: true });
return true;"""


class Owner(Pages):
    """An owner at her own browser. She clicks and types what she sees, and nothing else."""

    def __init__(self, studio, driver, language):
        super().__init__(studio, driver)
        self.name, self.words = studio.name, WORDS[language]

    def room(self, key):
        """By the list of rooms at the side."""
        self.wait(lambda: self.one(f".side nav a[data-key={key}]").click() or True, f"shows the room {key}")
        self.wait(lambda: self.one(f".side nav a[data-key={key}][aria-current]"), f"opens the room {key}")
        self.wait(lambda: self.driver.execute_script("return document.documentElement.dataset.live") == "yes", "listens")

    def use(self, find, do):
        """What she does with something on the page. As long as nothing is typed news may put the page anew under her
        hand; she then does it with what stands there, as soon as she can."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            with contextlib.suppress(*UNDER_HER_HAND):
                return do(find())
            time.sleep(0.02)
        return do(find())

    def click(self, selector):
        self.use(lambda: self.one(selector), lambda it: it.click())

    def type(self, form, **values):
        """`o_units="10"` is typed into `o.units`; people are chosen by the name they show."""
        def fill(form):
            for name, value in values.items():
                name = name.replace("__", "-").replace("_", ".", 1)
                fields = form.find_elements("name", name)
                hold(fields, f"{self.name}: the form has no {name}: {form.text}")
                for field, one in zip(fields, value if isinstance(value, list) else [value]):
                    self.fill_in(field, one)
        self.use(form, fill)

    def fill_in(self, field, value):
        if field.tag_name == "select":
            options = [o for o in field.find_elements("tag name", "option") if value in o.text]
            hold(len(options) == 1, f"{self.name}: {len(options)} choices hold {value}: {field.text}")
            options[0].click()
        elif field.get_attribute("type") == "datetime-local":
            # The browser's own fields are English where no other language of it is installed.
            field.send_keys(value.strftime("%m%d%Y" + Keys.TAB + "%I%M%p"))
            got = field.get_attribute("value")
            hold(got == value.strftime("%Y-%m-%dT%H:%M"), f"{self.name}: typed {value} and the field says {got}")
        else:
            field.clear()
            field.send_keys(value)

    def review(self, form):
        self.use(form, lambda form: form.find_element("css selector", "button").click())

    def sign(self, form, *says):
        """Review, read, sign; when that was."""
        self.review(form)
        preview = self.wait(lambda: self.one("dialog[open] [data-preview]"), "shows a preview")
        for text in says:
            hold(text in preview.text, f"{self.name}: the preview does not say {text}: {preview.text}")
        signed = time.time()
        preview.find_element("css selector", "button.primary").click()
        self.wait(lambda: self.one("#room > .notice.good[role=status]") and not self.all("dialog[open]"), "says that it is signed")
        return signed

    def item(self, *texts):
        """What waits on Today with these words: how to find its form, opened."""
        if not self.driver.current_url.rstrip("/").endswith(self.base.rpartition("/")[2]):
            self.room("t")

        def find():
            for item in self.all(".items .item"):
                if all(text in item.text for text in texts):
                    for summary in item.find_elements("css selector", ".do details:not([open]) > summary"):
                        summary.click()
                    return item.find_element("css selector", "form.act")
        return lambda: self.wait(find, f"shows what waits: {texts}")

    def photo(self, form, path):
        self.use(form, lambda form: form.find_element("css selector", "input[type=file]").send_keys(path))
        self.wait(lambda: len(form().find_element("name", "o.evidence").get_attribute("value")) == 64, "hashes the photo")


class PagesStory(Story):
    title = "The journal story on pages"

    def __init__(self, talea, folder, language, drivers):
        super().__init__(talea, folder, NAMES)
        self.language, self.drivers, self.words = language, drivers, WORDS[language]
        self.took, self.pictures = [], None
        self.evidence_hash = hashlib.sha256(open(self.evidence, "rb").read()).hexdigest()

    def say(self, text):
        super().say(f"{self.language}  {text}")

    def picture(self, owner, name):
        if self.pictures:
            shoot(owner, self.pictures, f"story-{name}-{self.language}")

    @contextlib.contextmanager
    def appears(self, *sights):
        """Inside, somebody signs and says when. Then each (owner, selector, texts …) stands on the page that she had
        open all the time, and not before."""
        for owner, selector, *texts in sights:
            owner.wait(lambda: owner.driver.execute_script("return document.documentElement.dataset.live") == "yes", "listens")
            hold(owner.driver.execute_script(WATCH, selector, texts), f"{owner.name} sees {texts} already")
        when = {}
        yield lambda signed: when.update(at=signed)
        for owner, selector, *texts in sights:
            seen = owner.wait(lambda: owner.driver.execute_script("return window.seen"), f"shows {texts} by itself")
            hold(owner.driver.execute_script("return window.same"), f"{owner.name}'s page was loaded again")
            self.took.append((seen / 1000 - when["at"], f"“{texts[-1]}” at {owner.name} ({self.language})"))

    # -- homes and nodes, by commands; all else by hand ------------------------------------------------

    def begin(self):
        names = list(self.studios.values())
        invitation = names[0].make(None)
        at_once(lambda studio: studio.make(invitation), names[1:])
        for studio in names:
            studio.start()
        at_once(lambda studio: studio.ready(), names)
        self.owners = {name: Owner(self.studios[name], driver, self.language) for name, driver in zip(NAMES, self.drivers)}
        self.say("four homes made, four nodes started, four browsers opened")

    def connect(self):
        """Each tells the others where her node listens."""
        owners = list(self.owners.values())
        for owner in owners:
            owner.room("n")
            owner.address = owner.wait(lambda: re.search(r"127\.0\.0\.1:\d+", owner.text()).group(), "says where it listens")
        for place, owner in enumerate(owners[1:], 1):
            for other in owners[:place]:
                owner.room("a")
                form = lambda: owner.one("form.act:has(input[name='o.address'])")
                owner.type(form, o_address=other.address)
                owner.review(form)
                owner.wait(lambda: owner.one("#room > .notice.good[role=status]"), "keeps the address")
        for owner in owners:
            owner.room("a")
            owner.wait(lambda: [r for r in owner.all("tbody tr") if owner.words["connected"] in r.text][2], "is connected to all")
            owner.wait(lambda: all(n in owner.text() for n in NAMES), "knows all by name")
        self.say("each studio typed the others' addresses, and all are connected")

    def weeks(self, owner, resource, first, total):
        """Draws two weeks on the calendar, and says what can be made in them."""
        owner.room("p")

        def draw(cells):
            owner.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cells[first])
            ActionChains(owner.driver).click_and_hold(cells[first]).move_to_element(cells[first + 1]).release().perform()
        owner.use(lambda: owner.all("[data-monday] rect[class^=cell]"), draw)
        form = lambda: owner.one("#declare form")
        start = datetime.datetime.fromisoformat(form().find_element("name", "t.start").get_attribute("value"))
        hold(start.weekday() == 0 and start > datetime.datetime.now(), f"a Monday to come was drawn: {start}")
        owner.type(form, o_resource=resource, o_total=str(total))
        owner.sign(form, str(total), resource)

    def later(self, days):
        return (datetime.datetime.now() + datetime.timedelta(days=days)).replace(hour=12, minute=0)

    def kind(self, owner, title, link):
        """The link under a kind of contract in the market."""
        owner.room("m")

        def choose(kinds):
            kind = [one for one in kinds if one.find_element("tag name", "b").text == self.words[title]][0]
            kind.find_element("link text", self.words[link]).click()
        owner.use(lambda: owner.all(".kinds li"), choose)
        return lambda: owner.wait(lambda: owner.one("form.act"), f"asks for {title}")

    # -- the option ------------------------------------------------------------------------------------

    def accepts(self, contract_kind, *names):
        """Those named accept on Today; the last of them puts it in force."""
        for name in names:
            owner = self.owners[name]
            form = owner.item(self.words["accept"], self.words[contract_kind])
            owner.sign(form)

    def option(self):
        z, d, c = (self.owners[n] for n in ("zhijian", "dongguan", "zhongcai"))
        words = self.words
        self.weeks(d, "print/notebook/a5", 3, 300)
        z.room("m")
        form = self.kind(d, "capacity", "offer")
        d.type(form, o_line="print/notebook/a5", o_max__units="200", o_lot="10", t_until=self.later(10), m_premium="500.00",
               m_strike="18.00", m_remedy="9.00", t_expiry=self.later(30), t_deliver__by=self.later(60))
        with self.appears((z, "tbody tr", "print/notebook/a5", "¥20.50")) as signed:
            signed(d.sign(form))
        self.picture(z, "market")
        for owner in (d, c):
            owner.room("t")
        z.click("tbody tr a.primary")
        form = lambda: z.wait(lambda: z.one("form.act"), "asks for the quantity")
        z.type(form, o_units="100", o_arbiter="zhongcai")
        z.review(form)
        z.wait(lambda: z.one("dialog[open] [data-preview]"), "shows a preview")
        reads_well(z.driver, "a preview")
        self.picture(z, "preview")
        z.click("dialog[open] a.button")
        with self.appears((d, ".item", words["accept"], words["capacity"]), (c, ".item", words["accept"], words["capacity"])) as signed:
            signed(z.sign(form, "¥500.00"))
        z.room("t")
        self.picture(d, "today-proposal")
        self.accepts("capacity", "dongguan")
        with self.appears((z, ".item", words["pay"], "¥500.00")) as signed:
            signed(c.sign(c.item(words["accept"], words["capacity"])))
        self.pay(z, d, "¥500.00")
        self.say("an offer was published, an option on 100 bought, the premium paid and confirmed")
        for units in ("60", "40"):
            cost = f"¥{int(units) * 18:,}.00"
            form = z.item(words["move"], words["capacity"])
            z.type(form, o_units=units)
            d.room("t")
            with self.appears((d, ".item", words["move"], words["capacity"])) as signed:
                signed(z.sign(form, units))
            z.room("t")
            form = d.item(words["move"], words["capacity"])
            d.type(form, o_units=units)
            d.photo(form, self.evidence)
            if units == "60":
                reads_well(d.driver, "Today with a form open")
                self.picture(d, "today-deliver")
            with self.appears((z, ".item", words["move"], cost)) as signed:
                signed(d.sign(form, units))
            z.sign(z.item(words["move"], cost), cost)
            self.pay(z, d, cost)
        self.settled_on_pages("capacity", z, d, c)
        self.say("60 and 40 exercised, delivered with a photo, accepted and paid: settled on every page")

    def pay(self, payer, payee, amount):
        words = self.words
        payee.room("t")
        form = payer.item(words["pay"], amount)
        payer.type(form, o_channel={"en": "Bank", "zh": "银行"}[self.language], o_reference="T1")
        with self.appears((payee, ".item", words["confirm"], amount)) as signed:
            signed(payer.sign(form, amount))
        payer.room("t")
        form = payee.item(words["confirm"], amount)
        with self.appears((payer, ".news li:first-child", payee.name, amount)) as signed:
            signed(payee.sign(form, amount))

    # -- production by milestones ------------------------------------------------------------------------

    def production(self):
        z, d, w, c = (self.owners[n] for n in NAMES)
        words = self.words
        self.weeks(d, "print/journal-set", 3, 1000)
        form = self.kind(z, "production", "propose")
        self.picture(z, "propose")
        z.type(form, o_buyer="zhijian", o_maker="dongguan", o_custodian="wenchuang", o_arbiter="zhongcai",
               o_line="print/journal-set", o_units="1000", o_minimum="100", m_total="20000", t_demand__by=self.later(5),
               o_batch__max="20", m_batch__price="25", t_batches__end=self.later(20),
               i_dates=[self.later(31 + week) for week in range(4)])
        asked = [".item", words["accept"], words["production"]]
        for owner in (d, w, c):
            owner.room("t")
        with self.appears(*[(owner, *asked) for owner in (d, w, c)]) as signed:
            signed(z.sign(form, "¥20,000.00"))
        self.picture(z, "contract-proposed")
        z.room("t")
        self.accepts("production", "dongguan", "wenchuang")
        with self.appears((z, ".item", words["move"], words["production"])) as signed:
            signed(c.sign(c.item(*asked[1:])))
        form = z.item(words["move"], words["production"])
        z.type(form, o_units="1000")
        z.sign(form, "¥20,000.00")
        self.pay(z, w, "¥20,000.00")
        self.pay(w, d, "¥6,000.00")
        self.say("production was proposed, signed by four, ordered, the deposit paid in, the first 6,000.00 paid out")
        for number in range(1, 5):
            form = d.item(words["move"], words["production"])
            d.photo(form, self.evidence)
            with self.appears((z, ".item", words["move"], "¥3,500.00")) as signed:
                signed(d.sign(form))
            form = z.item(words["move"], "¥3,500.00")
            w.room("t")
            with self.appears((w, ".item", words["pay"], "¥3,500.00")) as signed:
                signed(z.sign(form, "¥3,500.00"))
            if number == 2:
                self.picture(w, "today-pay")
            self.pay(w, d, "¥3,500.00")
        self.settled_on_pages("production", z, d, w, c)
        self.say("four milestones with a photo each, confirmed and paid out: settled on every page")

    # -- what must hold ----------------------------------------------------------------------------------

    def proof(self):
        """A customer photographs the code of a milestone and checks it in a browser, with no node and no network."""
        d, customer = self.owners["dongguan"], self.owners["zhongcai"].driver
        d.click("tbody tr td a")
        d.wait(lambda: d.all(".timeline li"), "shows the steps")
        self.picture(d, "contract")
        step = [one for one in d.all(".timeline li") if "4" in one.text and self.evidence_hash in one.text][0]
        step.find_element("link text", self.words["code"]).click()
        code = d.wait(lambda: d.one("svg.qr"), "draws the code")
        self.picture(d, "code")
        seen = f"{self.folder}/code.png"
        hold(code.screenshot(seen), "the code is photographed")
        read = subprocess.run(["zbarimg", "-q", "--raw", seen], capture_output=True, text=True).stdout.strip()
        hold(read.startswith("TALEA1:"), f"a telephone reads the code: {read[:80]}")
        customer.get(f"file://{REPO}/Sources/Dashboard/Page/verify.html")
        customer.find_element("id", "text").send_keys(read)
        customer.find_element("id", "check").click()
        d.wait(lambda: customer.execute_script("return document.documentElement.dataset.checked") == "valid", "is believed")
        found = customer.find_element("id", "found").text
        hold(self.studios["dongguan"].did in found and self.evidence_hash in found, f"the customer reads who and what: {found}")
        self.say("a milestone's code, photographed off the page, was checked in a browser that knows no node")

    def balances(self):
        """Every figure of the ledger page is what `talea ledger` says, and nothing is missing."""
        paid = 0
        for name in NAMES[:3]:
            owner, books = self.owners[name], self.studios[name]("ledger", "balance")
            owner.room("l")
            self.picture(owner, f"ledger-{name}")
            hold(all(p["kind"] in ("paid", "delivered") for p in books["positions"]), f"{name} still has {books['positions']}")
            told = sorted(
                (p["counterparty"], f"{abs(int(p['amount'])) / 100:,.2f}" if p["commodity"] == "CNY" else f"{abs(int(p['amount'])):,}",
                 int(p["amount"]) > 0) for p in books["positions"] if int(p["amount"]))
            shown = sorted(
                (row.find_element("tag name", "td").get_attribute("title"), one.find_element("tag name", "b").text.strip("¥"),
                 self.words["by_you"] in one.text)
                for row in owner.all("section:has(> h2) table tbody tr:has(td[title^='did:'])")
                for one in row.find_elements("css selector", "ul.plain li"))
            shown = [(did, re.search(r"[\d,.]+(?= |$)", text.rpartition("/")[2].partition(" ")[2] or text).group(), mine)
                     for did, text, mine in shown]
            hold(sorted(shown) == told, f"{name}: the page says {sorted(shown)}, the books {told}")
            net = int(books["net_paid"].get("CNY", 0))
            hold(f"¥{abs(net) / 100:,.2f}" in owner.one(".figures").text if net else True, f"{name}: {net} and {owner.text()[:300]}")
            hold(self.words["net"][net > 0] in owner.one(".figures").text if net else True, f"{name}: {owner.one('.figures').text}")
            paid += net
        hold(paid == 0, f"the payments sum to {paid}")
        self.say("three ledger pages and talea ledger say the same; payments sum to zero")

    def settled_on_pages(self, kind, *owners):
        for owner in owners:
            owner.room("c")
            owner.click("a[href='/contracts?which=ended']")
            says = [self.words[word] for word in (kind, "settled", "fulfilled")]
            owner.wait(lambda: any(all(one in r.text for one in says) for r in owner.all("tbody tr")), f"lists {says}")

    def play(self):
        self.begin()
        self.connect()
        self.option()
        self.production()
        self.proof()
        self.balances()


@contextlib.contextmanager
def browsers(language):
    """One for each owner; to open and to close them one after the other would take longest of all."""
    stacks = [contextlib.ExitStack() for _ in NAMES]
    with concurrent.futures.ThreadPoolExecutor(len(NAMES)) as pool:
        try:
            yield list(pool.map(lambda stack: stack.enter_context(browser(language={"zh": "zh-CN"}.get(language, language))), stacks))
        finally:
            list(pool.map(contextlib.ExitStack.close, stacks))


def play(given, language):
    """All of it in one language; how soon each thing appeared."""
    with tempfile.TemporaryDirectory(prefix="talea-pages-") as folder, browsers(language) as drivers:
        story = PagesStory(os.path.abspath(given.talea), folder, language, drivers)
        story.pictures = given.pictures
        try:
            story.play()
            return story.took
        except Exception:
            story.tell_of_nodes()
            for owner in getattr(story, "owners", {}).values():
                story.picture(owner, f"broken-{owner.name}")
            raise
        finally:
            story.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--talea", required=True)
    parser.add_argument("--pictures")
    parser.add_argument("--language", choices=["zh", "en"])
    given = parser.parse_args()
    if given.pictures:
        os.makedirs(given.pictures, exist_ok=True)
    begun = time.monotonic()
    try:
        languages = [given.language] if given.language else ["zh", "en"]
        print(f"{PagesStory.title}, in {' and '.join(languages)}")
        took = [one for language in languages for one in play(given, language)]
        seconds, what = max(took)
        print(f"{len(took)} times something appeared by itself on an open page, the slowest, {what}, after {seconds:.2f} s")
        if seconds >= 1:
            print("that is longer than a second: a busy machine, or a page that does not follow")
        print(f"Every rule held. {time.monotonic() - begun:.1f} s.")
        return 0
    except Broken as broken:
        print(f"A rule was broken: {broken}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
