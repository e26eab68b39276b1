#!/usr/bin/env python3
"""The pages in a real browser: three studios trade through theirs, in English with script and in Chinese without; a
hostile page on the same machine can neither read nor do anything; every room passes an accessibility checker; what
others sign appears by itself.
  scripts/browser_test.py --talea BINARY [--pictures FOLDER]"""

import argparse, base64, hashlib, http.server, json, os, re, socket, ssl, struct, subprocess, sys, tempfile, threading, time, urllib.parse, zlib

import pages
from journal_story import Broken, Story, hold, until
from pages import ROOMS, Pages, browser, reads_well, shoot
from pages_care import Care

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# A photograph of what was made: one dot.
PHOTO = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
         + chunk(b"IDAT", zlib.compress(b"\0\x80\x40\x20")) + chunk(b"IEND", b""))


class Trade(Care, Story):
    """Three nodes of the journal story."""

    def __init__(self, talea, folder):
        super().__init__(talea, folder, ["zhijian", "dongguan", "zhongcai"])
        self.pictures = None

    def picture(self, desk, name):
        if self.pictures:
            shoot(desk, self.pictures, name)

    # -- one capacity option, from the first declaration to the last receipt, all on pages -----------

    def trade(self, driver, language, week, script=True):
        z, d, c = (Pages(self.studios[name], driver) for name in ("zhijian", "dongguan", "zhongcai"))
        ended = {"en": ("Settled", "fulfilled"), "zh": ("已结清", "已履行")}[language]
        resource = f"print/notebook/{language}"

        d.go("/capacity")
        form = d.one("#declare form")
        start = time.strftime("%Y-%m-%dT00:00", time.localtime(time.time() + week * 7 * 86400))
        end = time.strftime("%Y-%m-%dT00:00", time.localtime(time.time() + (week + 1) * 7 * 86400))
        d.fill(form, o_resource=resource, t_start=start, t_end=end, o_total="300", o_unit="C62")
        said = d.send(form)
        hold("300" in said and resource in said, f"the preview says what is declared: {said}")
        line = next(l for l in self.dongguan("line", "show")["lines"] if l["resource"] == resource)

        option = next(t for t in self.dongguan("template", "list")["templates"] if t["name"] == "capacity-option")
        d.go(f"/market/offer?template={option['hash']}")
        form = d.one("form.act")

        def later(days):
            return time.strftime("%Y-%m-%dT12:00", time.localtime(time.time() + days * 86400))
        d.fill(form, o_line=line["id"], o_max__units="200", o_lot="10", t_until=later(10), m_premium="¥500.00",
               m_strike="18.00", m_remedy="9.00", t_expiry=later(40), t_deliver__by=later(80))
        d.send(form)
        offer = until(lambda: [o for o in self.zhijian("offer", "list")["offers"] if o["line"] == line["id"]],
                      "the offer is seen")[0]

        z.go(f"/market?resource={resource}")
        z.wait(lambda: "¥20.50" in z.text(), "shows premium and price in one")
        self.picture(z, f"market-{language}")
        z.one(f"a[href*='{offer['id']}']").click()
        form = z.wait(lambda: z.one("form.act"), "asks for the quantity")
        z.fill(form, o_units="210", o_arbiter=self.zhongcai.did)
        form.find_element("css selector", "button").click()
        refusal = z.wait(lambda: z.one(".notice.bad"), "refuses more than is offered")
        hold("200" in refusal.text, f"the refusal says what is offered: {refusal.text}")
        self.picture(z, f"refused-{language}")
        z.go(f"/market/propose?offer={offer['id']}")
        form = z.one("form.act")
        z.fill(form, o_units="100", o_arbiter=self.zhongcai.did)
        said = z.send(form)
        hold("¥500.00" in said, f"the preview says the premium: {said}")
        contract = z.driver.current_url.rpartition("/")[2]

        for desk in (d, c):
            until(lambda: desk.studio.graded(contract, "proposed", "agreed"), f"{desk.studio.name} has the proposal")
            desk.go("/")
            desk.send(desk.act(contract))
        until(lambda: self.zhijian.graded(contract, "sequenced"), "it is in force")
        self.pays(z, d, contract, 1)

        self.does(z, contract, "exercise", o_units="100")
        record = self.dongguan.record(contract, "exercise", "open")
        digest = hashlib.sha256(PHOTO).hexdigest()
        d.go(f"/contracts/{contract}")
        form = d.act("deliver")
        d.fill(form, o_units="100")
        files = form.find_elements("css selector", "input[type=file]")
        hold(bool(files) == script, "only a script makes a hash of a file")
        if script:
            path = f"{self.folder}/photo-{language}.jpg"
            with open(path, "wb") as file:
                file.write(PHOTO)
            files[0].send_keys(path)
            d.wait(lambda: form.find_element("name", "o.evidence").get_attribute("value") == digest,
                   "hashes the file where it lies")
        else:
            d.fill(form, o_evidence=digest)
        d.send(form)
        self.zhijian.record(contract, "delivery", "stated")
        self.does(z, contract, "accept")
        self.pays(z, d, contract, self.zhijian.record(contract, "delivery", "due"))
        until(lambda: self.zhijian.graded(contract, "settled"), "it is settled")
        z.go(f"/contracts/{contract}")
        hold(all(word in z.text() for word in ended), f"the page says that it is settled: {z.text()[:400]}")
        hold(digest in z.text(), "the evidence stands in the timeline")
        self.picture(z, f"contract-{language}")
        z.go("/ledger")
        hold("¥1,800.00" in z.text() and "¥500.00" in z.text(), "both payments stand in the ledger")
        self.say(f"an option was declared, offered, bought, exercised, delivered and paid on pages ({language})")
        return contract

    def wishes(self, driver):
        """One says what she looks for; the other answers with a proposal that is filled in so far."""
        z = Pages(self.zhijian, driver)
        z.go("/market/wish")

        def later(days):
            return time.strftime("%Y-%m-%dT12:00", time.localtime(time.time() + days * 86400))
        z.fill(z.one("form.act"), o_resource="print/calendar", t_start=later(30), t_end=later(37), o_units="60",
               m_most="25.00", t_until=later(9))
        said = z.send(z.one("form.act"))
        hold("60" in said and "print/calendar" in said, f"the preview says what is looked for: {said}")
        z.go("/node")
        form = z.act("profile set")
        z.fill(form, e_place="上海")
        z.send(form)
        self.dongguan("line", "declare", resource="print/calendar", start="+30d", end="+37d", total=90)
        until(lambda: any(w["place"] == "上海" for w in self.dongguan("wish", "list")["wishes"]), "wish and place came over")
        d = Pages(self.dongguan, driver)
        d.go("/market?place=" + urllib.parse.quote("上海"))
        hold("上海" in d.text() and "¥25.00" in d.text(), f"the market shows the wish: {d.text()[:600]}")
        self.picture(d, "wishes-en")
        d.one(".wishes a.button").click()
        title = next(t for t in self.dongguan("template", "list")["templates"] if t["name"] == "capacity-option")
        d.wait(lambda: d.one(f".kinds a[href*='{title['hash']}']").click() or True, "lists kinds of contracts")
        form = d.wait(lambda: d.one("form.act"), "asks for the rest")
        values = {name: form.find_element("name", f"o.{name}").get_attribute("value") for name in ("issuer", "holder", "units", "line")}
        hold(values["issuer"] == self.dongguan.did and values["holder"] == self.zhijian.did, f"both are filled in: {values}")
        hold(values["units"] == "60" and values["line"], f"so are quantity and line: {values}")
        self.say("what one looks for stood in the other's market, by its place; the answer was filled in")

    def phone(self, driver):
        """A phone is paired by a code, over TLS that OpenSSL checks; it looks, another signs, and closing ends both."""
        z = Pages(self.zhijian, driver)
        z.go("/node")
        forms = [form for form in z.all("#phone form") if form.find_elements("name", "sign")]
        if forms:
            # Of this machine's addresses the one that no other machine reaches.
            driver.execute_script("arguments[0].insertAdjacentHTML('beforeend',"
                                  "'<input type=hidden name=address value=127.0.0.1>')", forms[0])
            forms[0].find_element("css selector", "button").click()
            fingerprint, link = z.wait(lambda: [code.text for code in z.all("pre.code code")], "shows a code for the phone")
            hold(z.all("svg[role=img]"), "the link stands there as a code")
            reads_well(driver, "pairing")
            self.picture(z, "pairing")
        else:
            made = self.zhijian("open", "--phone", address="127.0.0.1")
            fingerprint, link = made["fingerprint"], made["link"]
        base, _, _ = link.partition("/open/")
        place = ("127.0.0.1", int(base.rpartition(":")[2]))
        certificate = ssl.get_server_certificate(place)
        found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest().upper()
        hold(fingerprint == ":".join(found[at:at + 2] for at in range(0, 64, 2)), "the fingerprint is not the certificate's")
        trust = ssl.create_default_context(cadata=certificate)
        with trust.wrap_socket(socket.create_connection(place), server_hostname=place[0]) as line:
            hold(line.version() == "TLSv1.3", f"the phone's door speaks {line.version()}")

        with browser(width=390, height=800, language="zh-CN", trusting=True) as driver:
            looking = Pages(self.zhijian, driver, link)
            for path in ROOMS.values():
                looking.go(path)
                hold(len(looking.all("nav a")) >= len(ROOMS), f"{path} shows the rooms on a phone")
                hold(not looking.all("form.act, form[action='/backup'], form[action='/phone']"), f"{path} offers acts")
                wide = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
                hold(wide <= 0, f"{path} is {wide} pixels too wide for a phone")
            looking.go("/")
            self.picture(looking, "phone")
            driver.delete_all_cookies()
            driver.get(link)
            hold("talea open --phone" in looking.text(), "a link opens twice")

            signing = self.zhijian("open", "--phone", "--sign", address="127.0.0.1")["link"]
            hold(signing.startswith(base), "a second phone comes by another door")
            desk = Pages(self.zhijian, driver, signing)
            desk.go("/capacity")
            form = desk.one("#declare form")
            start, end = (time.strftime("%Y-%m-%dT00:00", time.localtime(time.time() + days * 86400)) for days in (200, 207))
            desk.fill(form, o_resource="print/phone", t_start=start, t_end=end, o_total="5", o_unit="C62")
            desk.send(form)
            hold([l for l in self.zhijian("line", "show")["lines"] if l["resource"] == "print/phone"], "the phone signed")

            z.go("/node")
            close = z.one("#phone input[name=close]").find_element("xpath", "..")
            close.find_element("css selector", "button").click()
            z.wait(lambda: z.one(".notice.good"), "says that the door is closed")

            def is_shut():
                with socket.socket() as probe:
                    return probe.connect_ex(place) != 0
            until(is_shut, "the phone's door is closed")
        self.say("a phone was paired by a code, looked, signed, and was shut out again")

    def does(self, desk, contract, transition, **values):
        until(lambda: transition in [c["transition"] for c in desk.studio.show(contract)["choices"]],
              f"{desk.studio.name} may {transition}")
        desk.go(f"/contracts/{contract}")
        form = desk.act(transition)
        desk.fill(form, **values)
        return desk.send(form)

    def pays(self, payer, payee, contract, record):
        until(lambda: self.paying(payer.studio, contract, record) == "due", "it is due")
        self.does(payer, contract, "pay_state", o_channel="bank", o_reference=f"T{record}")
        until(lambda: self.paying(payee.studio, contract, record) == "stated", "it is stated")
        self.does(payee, contract, "pay_receive")
        for desk in (payer, payee):
            until(lambda: not self.paying(desk.studio, contract, record), f"{desk.studio.name} sees the receipt")

    # -- a proof on a screen, photographed; a page to print; a photo ---------------------------------------

    def proves(self, driver, contract):
        d, width = Pages(self.dongguan, driver), "return document.querySelector('img.photo').naturalWidth"
        d.go(f"/contracts/{contract}")
        hold(d.wait(lambda: driver.execute_script(width), "shows the photo that was chosen when it was signed") == 1, "its width")
        # Let go of it: the one who signed it adds it again, and nothing else in its place.
        self.dongguan("attachment", "forget", contract=contract, hash=hashlib.sha256(PHOTO).hexdigest())
        other = f"{self.folder}/other.jpg"
        with open(other, "wb") as file:
            file.write(PHOTO + b"!")
        for path in (other, f"{self.folder}/photo-en.jpg"):
            d.wait(lambda: d.one(".add input").send_keys(path) or True, "asks its signer for the photo")
            if path == other:
                d.wait(lambda: "not the file" in d.one(".add").text, "says that this is another file")
        hold(d.wait(lambda: driver.execute_script(width), "shows the photo that was added") == 1, "its width")
        z = Pages(self.zhijian, driver)
        z.go(f"/contracts/{contract}")
        z.act("attachment fetch").find_element("css selector", "button").click()
        hold(z.wait(lambda: driver.execute_script(width), "shows a partner the photo that she asked for") == 1, "its width")
        d = Pages(self.dongguan, driver)
        d.go(f"/contracts/{contract}")
        steps = self.dongguan.show(contract)["steps"]
        step = next(s["sequence"] for s in steps if s["transition"] == "deliver")
        d.one(f"a[href='/contracts/{contract}/code?step={step}']").click()
        d.wait(lambda: d.one("svg.qr"), "draws the code")
        self.picture(d, "code-en")
        seen = f"{self.folder}/code.png"
        hold(d.one("svg.qr").screenshot(seen), "the code is photographed")
        status, out, error = self.zhijian.run("verify", image=seen)
        hold(status == 0 and self.dongguan.did in out and "VALID" in out, f"a photographed proof: {out}{error}")
        d.go(f"/contracts/{contract}")
        form = d.one("form.choose")
        driver.execute_script("arguments[0].closest('details').open = true", form)
        hold(len(form.find_elements("css selector", "[name=step]")) == len(steps), "every step can be chosen")
        page = driver.execute_async_script(
            "const done = arguments[1]; fetch(arguments[0]).then(r => r.text()).then(done)",
            f"/contracts/{contract}/page?step={step}&what=step")
        hold(base64.b64encode(PHOTO).decode() in page and page.count('"TALEA1:') > 1, f"a page for customers: {page[:300]}")
        d.go(f"/contracts/{contract}/paper")
        text = driver.find_element("tag name", "body").text
        accepted = [s for s in (self.zhijian.did, self.dongguan.did, self.zhongcai.did) if s in text]
        hold(len(accepted) == 3, f"the paper names who signed: {text[:800]}")
        hold(d.one("svg.qr") and not driver.find_elements("tag name", "script"), "the paper has a code and no script")
        self.picture(d, "paper-en")
        for name, start in [("paper.html", b"<!doctype html>"), ("paper.pdf", b"%PDF")]:
            path = f"{self.folder}/{name}"
            status, out, error = self.dongguan.run("contract", "paper", contract=contract, o=path)
            hold(status == 0 and open(path, "rb").read().startswith(start), f"{name}: {out}{error}")
        self.say("a photo stands beside its step, at home and at a partner's; a code on the screen was photographed and checked; paper was printed")

    # -- a page somewhere else on this machine ---------------------------------------------------------

    def hostile(self, driver):
        z = Pages(self.zhijian, driver)
        port = int(z.base.rpartition(":")[2])
        before = self.zhijian("peer", "list"), self.zhijian("name", "list"), self.zhijian("line", "show")
        attacks = open(f"{os.path.dirname(os.path.abspath(__file__))}/hostile.html", encoding="utf-8").read()

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(attacks.replace("PORT", str(port)).replace("DID", z.studio.did).encode())

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # The one shares our site, and so its requests carry our cookie; the other is a stranger.
        for host in ("127.0.0.1", "localhost"):
            driver.get(f"http://{host}:{server.server_port}/")
            z.wait(lambda: z.one("#done"), "plays every attack", 20)
            got = z.one("#got").text.strip()
            hold(got == "", f"a page of {host} got through: {got}")
            tried = len(z.one("#tried").text.split())
            hold(tried >= 9, f"only {tried} attacks were played")
            z.one("#form button").click()
            time.sleep(0.3)
            hold("403" in driver.page_source or "origin" in driver.page_source, f"a form of {host}: {z.text()[:300]}")
        server.shutdown()
        after = self.zhijian("peer", "list"), self.zhijian("name", "list"), self.zhijian("line", "show")
        hold(before == after, "a hostile page changed something")
        z.go("/")
        hold(z.all("nav a[aria-current]"), "the owner's session goes on")
        self.say(f"a hostile page tried {tried} ways from each of two hosts, read nothing and changed nothing")

    # -- what others sign appears by itself --------------------------------------------------------------

    def live(self, driver):
        z = Pages(self.zhijian, driver)
        z.go("/market")
        z.wait(lambda: driver.execute_script("return document.documentElement.dataset.live") == "yes", "listens")
        driver.execute_script("window.same = true")
        option = {"template": "capacity-option", "max_units": 10, "until": "+9d", "premium": "1.00", "remedy": "1.00",
                  "expiry": "+90d", "deliver_by": "+120d"}
        line = self.dongguan("line", "show", issuer="me")["lines"][0]["id"]
        times = []
        for price in (31, 32, 33):
            made = self.dongguan("offer", "publish", line=line, strike=f"{price}.00", **option)
            begun = time.monotonic()
            z.wait(lambda: made["id"] in driver.page_source, "shows the offer")
            times.append(time.monotonic() - begun)
        hold(driver.execute_script("return window.same"), "the page was not loaded again")
        hold(min(times) < 1, f"what others sign took {times} s to appear")
        driver.find_element("tag name", "body").send_keys("gc")
        z.wait(lambda: driver.current_url.endswith("/contracts"), "goes to a room by two keys")
        self.say(f"an offer of another studio stood on the open page after {min(times):.2f} s")

    def is_told(self, driver):
        """How the owner is told while no page is open is chosen on a page, and refused with what would be right."""
        z = Pages(self.zhijian, driver)

        def choose(**fields):
            z.go("/node")
            form = z.act("notify set")
            z.fill(form, **fields)
            form.find_element("css selector", "button").click()
        choose(e_webhook="http://example.org/x")
        refused = z.wait(lambda: z.one(".notice.bad[role=alert]").text, "refuses what would leave in clear")
        hold("https://" in refused, f"says what would be right: {refused}")
        choose(o_desktop="off", o_detail="full", e_quiet="00:00-23:59", e_email="anna@example.org", e_smtp="smtp://127.0.0.1:9",
               e_smtp__user="anna", e_smtp__password="not a word", e_webhook="http://127.0.0.1:9/x")
        z.wait(lambda: z.one("#room > .notice.good[role=status]"), "keeps what was chosen")
        set = self.zhijian("notify", "show")
        hold(set["webhook"].endswith(":9/x") and set["full"] and set["quiet"] == "00:00-23:59", f"the node knows it: {set}")
        password = set["mail"]["password_file"]
        hold(open(password).read() == "not a word" and os.stat(password).st_mode & 0o077 == 0, "the password is the owner's alone")
        hold("not a word" not in driver.page_source, "no page shows a password")
        choose(e_email="", e_webhook="")
        z.wait(lambda: z.one("#room > .notice.good[role=status]"), "keeps that nothing is told")
        set = self.zhijian("notify", "show")
        hold(set["mail"] is None and set["webhook"] is None, f"nobody is told: {set}")
        self.say("how the owner is told was chosen on a page")

    # -- from nothing to Today --------------------------------------------------------------------------

    def invitation(self, driver):
        """What the inviter's page shows to hand on: the text, its picture, and a film of that picture."""
        z = Pages(self.zhijian, driver)
        z.go("/partners")
        text = z.one("pre.code").text
        picture = f"{self.folder}/invitation.png"
        with open(picture, "wb") as file:
            file.write(z.one("svg.qr").screenshot_as_png)
        frame = driver.execute_async_script("""
            const [base64, done] = arguments;
            const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
            createImageBitmap(new Blob([bytes], { type: "image/png" })).then((picture) => {
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [640, 480];
              const context = canvas.getContext("2d");
              context.fillStyle = "#777";
              context.fillRect(0, 0, 640, 480);
              context.drawImage(picture, 140, 60, 360, 360);
              done(canvas.toDataURL("image/jpeg", 0.9).split(",")[1]);
            });""", base64.b64encode(open(picture, "rb").read()).decode())
        film = f"{self.folder}/invitation.mjpeg"
        with open(film, "wb") as file:
            file.write(base64.b64decode(frame) * 20)
        return text, picture, film

    def scans(self, desk, text, picture):
        """The invitation gets into its field from a picture, and from the camera."""
        field = desk.one("[name=invitation]")
        is_read = lambda: field.get_attribute("value") == text and desk.one("[value=join]").is_selected()
        chooser = desk.one("input[type=file]")
        other = f"{self.folder}/other.png"
        with open(other, "wb") as file:
            file.write(PHOTO)
        chooser.send_keys(other)
        desk.wait(lambda: "no code is seen" in desk.one("small[role=status]").text, "says that this is no code")
        chooser.send_keys(picture)
        desk.wait(is_read, "reads the code on a picture")
        field.clear()
        desk.one("[value=found]").click()
        next(b for b in desk.all("button[type=button]")).click()
        desk.wait(lambda: desk.one("dialog.camera video"), "shows what the camera sees")
        self.picture(desk, "first-camera")
        desk.wait(is_read, "reads the code before the camera")
        desk.wait(lambda: not desk.all("dialog"), "puts the camera away")

    def first_start(self, driver, language, name, invitation=None, script=True, picture=None):
        """A home is made on pages, and the same window goes on to the rooms of its node."""
        called = f"first-{language}" + ("-scanned" if picture else "")
        home = f"{self.folder}/{called}"
        log = open(f"{home}.log", "w+")
        process = subprocess.Popen(
            [self.zhijian.talea, "open", "--json", "--home", home, "--lang", language, "--listen", "127.0.0.1:0"],
            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            def link():
                found = re.search(r'"link": *"([^"]+)"', open(log.name).read())
                return found and found.group(1)
            desk = Pages.__new__(Pages)
            desk.studio, desk.driver = self.zhijian, driver
            address = until(link, "the link is printed")
            desk.base = address.split("/open/")[0]
            driver.get(address)
            desk.wait(lambda: driver.current_url == desk.base + "/" and desk.all("form"), "asks who is there")
            if picture:
                self.scans(desk, invitation, picture)
            secret = "墨 韵 and 4 more words"
            def begin(passphrase, again):
                form = desk.one("form")
                for field, value in (("name", name), ("role", "bakery"), ("place", "杭州"), ("passphrase", passphrase), ("again", again)):
                    one = form.find_element("name", field)
                    one.clear()
                    one.send_keys(value)
                if invitation and not picture:
                    form.find_element("css selector", "[value=join]").send_keys(" ")
                    form.find_element("name", "invitation").clear()
                    form.find_element("name", "invitation").send_keys(invitation)
                elif not invitation:
                    form.find_element("name", "alliance").clear()
                    form.find_element("name", "alliance").send_keys("Ovens")
                form.find_element("css selector", "button.primary").send_keys("\n")
            begin(secret, "other")
            desk.wait(lambda: desk.one(".notice.bad"), "says that the passphrases differ")
            hold(secret not in driver.page_source, "a passphrase is never written into a page")
            # The checker is a script itself.
            if script:
                reads_well(driver, "the first page")
            self.picture(desk, called)
            begin(secret, secret)
            code = desk.wait(lambda: desk.one("pre code").text, "shows the recovery code")
            groups = code.split("-")
            hold(len(groups) == 9, f"nine groups: {code}")
            hold(not os.path.exists(f"{home}/key"), "nothing is made before the code was asked back")
            if script:
                reads_well(driver, "the recovery code")
            self.picture(desk, f"first-code-{language}")
            desk.one("a.primary").click()
            def answer(change):
                form = desk.wait(lambda: desk.one("form"), "asks for two groups")
                for label, field in zip(form.find_elements("css selector", "label span"), ("first", "second")):
                    group = groups[int(re.search(r"[0-9]+", label.text).group()) - 1]
                    form.find_element("name", field).send_keys(change(group))
                form.find_element("css selector", "button").click()
            answer(lambda group: group[::-1] + "0")
            desk.wait(lambda: desk.one(".notice.bad"), "refuses other groups")
            answer(str.lower)
            desk.wait(lambda: driver.current_url == desk.base + "/" and desk.all("nav a[aria-current]"), "goes on to Today")
            hold(name in desk.text(), "greets by name")
            said = open(log.name).read()
            hold(code not in said and secret not in said, "no secret in the log")
            hold(secret not in open(f"/proc/{process.pid}/cmdline").read(), "no secret in the arguments")
            def ask(verb):
                done = subprocess.run([self.zhijian.talea, "--home", home, verb, "--json"], capture_output=True, text=True)
                return json.loads(done.stdout)
            hold(ask("status")["name"].startswith(name), "the node runs")
            hold([ask("id")[key] for key in ("role", "place")] == ["bakery", "杭州"], f"the profile says what was typed: {ask('id')}")
            if picture:
                until(lambda: self.zhijian.did in [peer["did"] for peer in ask("status")["peers"]],
                      "the newcomer connects to whoever invited it")
            hold("protection none" not in open(f"{home}/key").read(), "the key is encrypted")
            process.terminate()
            hold(process.wait(20) == 0, f"the node ends well: {open(log.name).read()}")
            log = open(f"{home}.again.log", "w+")
            process = subprocess.Popen(
                [self.zhijian.talea, "open", "--wake", "--json", "--home", home, "--lang", language, "--listen",
                 "127.0.0.1:0"], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            address = until(link, "the link to the sleeping node is printed")
            desk.base = address.split("/open/")[0]
            driver.get(address)
            def unlock(passphrase):
                field = desk.wait(lambda: desk.one("[name=passphrase]"), "asks for the passphrase")
                field.send_keys(passphrase + "\n")
            unlock("another")
            desk.wait(lambda: desk.one(".notice.bad"), "refuses another passphrase")
            unlock(secret)
            desk.wait(lambda: driver.current_url == desk.base + "/" and desk.all("nav a[aria-current]"), "goes on to Today")
            process.terminate()
            hold(process.wait(20) == 0, f"the node ends well again: {open(log.name).read()}")
            self.say(f"from nothing to Today on pages, and from a locked node ({language})")
        finally:
            process.kill()

    # -- for everybody ---------------------------------------------------------------------------------

    def accessible(self, driver, contract, look):
        z = Pages(self.zhijian, driver)
        # Every kind of field stands in the form of this one.
        kind = next(t["hash"] for t in self.zhijian("template", "list")["templates"] if t["name"] == "milestone-production")
        places = list(ROOMS.items()) + [
            ("contract", f"/contracts/{contract}"), ("propose", f"/market/propose?template={kind}"),
            ("wish", "/market/wish"),
            ("code", f"/contracts/{contract}/code?step=2"), ("paper", f"/contracts/{contract}/paper"), ("lost", "/nowhere")]
        driver.get_log("browser")
        for name, path in places:
            z.go(path)
            reads_well(driver, f"{name} ({look})")
            severe = [l for l in driver.get_log("browser") if l["level"] == "SEVERE" and "404" not in l["message"]]
            hold(not severe, f"{name}: the browser complains: {severe}")
            wide = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
            hold(wide <= 0, f"{name} ({look}) is {wide} pixels too wide")
            if name in ROOMS:
                self.picture(z, f"{name}-{look}")
        self.say(f"no violation of WCAG 2.2 AA in {len(places)} pages ({look})")

    def weigh(self, driver):
        """What the first paint costs, from a cold browser."""
        z = Pages(self.zhijian, driver)
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        z.go("/contracts")
        size, ready = driver.execute_script(
            "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];"
            "return [all.filter(e => !e.name.includes('/events')).reduce((s, e) => s + e.transferSize, 0),"
            "        performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd]")
        hold(size <= 100 * 1024, f"the first paint takes {size} bytes")
        self.say(f"first paint: {size / 1024:.0f} KiB, ready after {ready:.0f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--talea", required=True)
    parser.add_argument("--pictures")
    given = parser.parse_args()
    if given.pictures:
        os.makedirs(given.pictures, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="talea-browser-") as folder:
        story = Trade(os.path.abspath(given.talea), folder)
        story.pictures = given.pictures
        try:
            story.open_the_network()
            with browser(language="en") as driver:
                text, picture, film = story.invitation(driver)
                story.first_start(driver, "en", "Inkwell Pastry")
            with browser(language="en", film=film) as driver:
                story.first_start(driver, "en", "Inkwell Second", invitation=text, picture=picture)
                contract = story.trade(driver, "en", 3)
                story.proves(driver, contract)
                story.wishes(driver)
                story.is_told(driver)
                story.phone(driver)
                story.live(driver)
                story.hostile(driver)
                story.weigh(driver)
                story.accessible(driver, contract, "en")
            with browser(language="zh-CN", script=False) as driver:
                story.first_start(driver, "zh", "墨韵糕点", invitation=story.zhijian("id")["invitation"], script=False)
                story.trade(driver, "zh", 5, script=False)
            with browser(width=400, dark=True, language="zh-CN") as driver:
                story.accessible(driver, contract, "zh-dark-phone")
            with browser(language="en") as driver:
                story.cares(driver, contract)
            print(f"Every rule held. {time.monotonic() - story.begun:.1f} s.")
            return 0
        except Broken as broken:
            print(f"A rule was broken: {broken}", file=sys.stderr)
            return 1
        finally:
            story.end()


if __name__ == "__main__":
    sys.exit(main())
