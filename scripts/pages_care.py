#!/usr/bin/env python3
"""What nobody may lose on an open page: what she typed, opened and looked at, the way back, and a layout that she can
read. A part of the browser test."""

import base64, signal, time, urllib.parse

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from journal_story import hold, until
from pages import ROOMS, Pages

LONG = "W" * 64


def day(days):
    return time.strftime("%Y-%m-%dT00:00", time.localtime(time.time() + days * 86400))


class Care:
    """For a story of zhijian, dongguan and zhongcai."""

    def cares(self, driver, contract):
        self.keeps(driver, contract)
        self.goes_back(driver)
        self.draws_weeks(driver)
        self.wraps(driver, contract)
        self.loses_the_node(driver)

    # -- live updates ----------------------------------------------------------------------------------

    def offer(self, price):
        """Something new in everybody's market."""
        line = self.dongguan("line", "show", issuer="me")["lines"][0]["id"]
        return self.dongguan("offer", "publish", template="capacity-option", line=line, max_units=10, until="+9d",
                             premium="1.00", remedy="1.00", expiry="+90d", deliver_by="+120d", strike=price)["id"]

    def propose(self):
        """Something new among the contracts of all three."""
        line = self.dongguan("line", "show", issuer="me")["lines"][0]["id"]
        made = self.zhijian("option", "buy", template="capacity-option", issuer=self.dongguan.did, holder=self.zhijian.did,
                            arbiter=self.zhongcai.did, line=line, units=10, lot=10, premium="80.00", strike="6.00", remedy="2.00", expiry="+60d",
                            deliver_by="+90d")["id"]
        until(lambda: self.zhongcai.graded(made, "proposed"), "the arbiter has it")

    def listens(self, desk, path):
        desk.go(path)
        desk.wait(lambda: desk.driver.execute_script("return document.documentElement.dataset.live") == "yes", "listens")

    def renewed(self, desk, change):
        """Does something, and waits until the page shows its newest state."""
        desk.driver.execute_script("document.getElementById('room').dataset.old = 'yes'")
        change()
        desk.wait(lambda: not desk.all("#room[data-old]"), "shows what is new")

    def left_alone(self, desk, change):
        """Does something, of which the page hears, and is not touched."""
        desk.driver.execute_script("""
            document.getElementById("room").dataset.old = "yes";
            const feed = new EventSource("/api/v1/events");
            feed.addEventListener("change", () => { window.heard = true; feed.close(); });
            window.heard = false;
            feed.addEventListener("open", () => { window.opened = true; });""")
        desk.wait(lambda: desk.driver.execute_script("return window.opened"), "listens once more")
        change()
        desk.wait(lambda: desk.driver.execute_script("return window.heard"), "hears of it")
        time.sleep(0.5)
        hold(desk.all("#room[data-old]"), "the page was put anew under her hand")

    def keeps(self, driver, contract):
        z = Pages(self.zhijian, driver)
        run = driver.execute_script
        self.listens(z, "/market")
        place = z.one("[name=place]")
        place.send_keys("杭州")
        run("document.activeElement.blur()")
        self.left_alone(z, lambda: self.offer("41.00"))
        hold(place.get_attribute("value") == "杭州", "what was typed into the filter is kept")

        self.listens(z, "/market")
        run("const link = document.querySelectorAll('td a.button.primary')[1]; window.wanted = link.href; link.focus()")
        self.renewed(z, lambda: self.offer("0.50"))
        hold(run("return document.activeElement.href === window.wanted"), "the focus is on another element after an update")

        self.listens(z, f"/contracts/{contract}")
        run("document.querySelector('form.choose').closest('details').open = true")
        z.one("form.choose [name=step]").click()
        run("document.activeElement.blur()")
        self.left_alone(z, self.propose)
        hold(z.one("form.choose [name=step]").is_selected(), "ticked boxes are kept")

        self.listens(z, "/partners")
        hold(len(z.all("#room td details.drop")) > 1, "several can be renamed")
        run("document.querySelectorAll('#room td details.drop')[1].open = true")
        z.all("#room td details.drop summary")[1].send_keys("")
        self.renewed(z, self.propose)
        opened = run("return [...document.querySelectorAll('#room td details.drop')].map((one) => one.open)")
        hold(opened == [at == 1 for at in range(len(opened))], f"opened after an update: {opened}")
        hold(run("return document.activeElement === document.querySelectorAll('#room td details.drop summary')[1]"),
             "the focus is on another row after an update")
        self.say("what was typed, ticked, opened and focused outlived news from others")

    # -- the way back ----------------------------------------------------------------------------------

    def goes_back(self, driver):
        z = Pages(self.zhijian, driver)
        active = driver.switch_to
        z.go("/capacity")
        form = z.one("#declare form")
        z.fill(form, o_resource="work/back", t_start=day(40), t_end=day(47), o_total="7", o_unit="C62")
        button = form.find_element(By.CSS_SELECTOR, "button")
        button.send_keys("\n")
        z.wait(lambda: z.one("dialog [data-preview]"), "shows a preview")
        ActionChains(driver).send_keys(Keys.ESCAPE).perform()
        z.wait(lambda: not z.all("dialog"), "closes it again")
        hold(active.active_element == button, "the focus goes back to where the dialog was opened")

        z.fill(form, o_total="-7")
        button.click()
        back = z.wait(lambda: z.one("dialog .notice.bad") and z.one("dialog a.button"), "a refusal has a way back")
        hold(back.is_displayed(), "the way back is seen")
        back.click()
        z.wait(lambda: not z.all("dialog"), "goes back to the form")
        hold(form.find_element(By.NAME, "o.total").get_attribute("value") == "-7", "the form is as it was")

        place = urllib.parse.quote("上海 & 杭州")
        z.go(f"/market?place={place}&units=3&resource=")
        for language in ("zh", "en"):
            z.one(f".foot a[hreflang={language}]").click()
            z.wait(lambda: z.one(f"html[lang^={language}]"), "speaks the other language")
            held = [z.one(f"[name={name}]").get_attribute("value") for name in ("place", "units")]
            hold(held == ["上海 & 杭州", "3"], f"the language drops what was asked for: {held}")

        offer = next(o for o in self.zhijian("offer", "list")["offers"] if o["issuer"] == self.dongguan.did)
        z.go(f"/market/propose?offer={offer['id']}")
        form = z.one("form.act")
        z.fill(form, o_units="10", o_arbiter=self.zhongcai.did)
        z.send(form)
        hold("/contracts/" in driver.current_url, "an act leads to another page")
        z.wait(lambda: urllib.parse.quote("/contracts/", "") in z.one(".foot a").get_attribute("href"), "its other language is of that page")
        driver.back()
        z.wait(lambda: "/market/propose" in driver.current_url and z.one("form.act [name='o.units']"), "goes back a page")
        z.go("/node")
        z.go("/partners")
        form = z.act(self.zhongcai.did)
        z.fill(form, o_name="arbiter")
        form.find_element(By.CSS_SELECTOR, "button").click()
        z.wait(lambda: z.one(".notice.good"), "says that it is kept")
        driver.back()
        z.wait(lambda: driver.current_url.endswith("/node") and z.one("#main[data-room=node]"), "goes back past what was kept")
        self.say("dialogs, refusals, the other language and the browser's own button lead back to where one was")

    # -- weeks by touch --------------------------------------------------------------------------------

    def draws_weeks(self, driver):
        z = Pages(self.zhijian, driver)
        self.zhijian("line", "declare", resource="a-long-name/of-what-is-made/by-hand", start="+20d", end="+27d", total=1999)

        def chosen():
            values = [z.one(f"#declare [name='t.{end}']").get_attribute("value") for end in ("start", "end")]
            return [value and time.mktime(time.strptime(value, "%Y-%m-%dT%H:%M")) / 86400 for value in values]

        def cells():
            return z.all("[data-monday] rect[class^=cell]")
        z.go("/capacity")
        ActionChains(driver).drag_and_drop(cells()[2], cells()[4]).perform()
        start, end = chosen()
        hold(round(end - start) == 21, f"three weeks are drawn with a mouse: {chosen()}")
        hold(driver.switch_to.active_element.get_attribute("name") == "o.total", "the total is asked for next")
        resource = z.one("#declare [name='o.resource']").get_attribute("value")
        hold(resource == "a-long-name/of-what-is-made/by-hand", f"the row that was drawn in: {resource}")
        wide = driver.execute_script(
            "const text = [...document.querySelectorAll('[data-monday] text[x=\"0\"]')].map((one) => one.getBBox());"
            "return Math.max(...text.map((box) => box.width))")
        hold(wide < 180, f"a name runs {wide - 180} over the weeks")

        self.resize(driver, 375, touch=True)
        z.go("/capacity")
        self.whole(z, "calendar-375")
        small = driver.execute_script("return document.querySelector('[data-monday] rect').getBoundingClientRect().width")
        hold(small >= 24, f"a week is {small} pixels wide on a phone")
        for index in (1, 3):
            spot = driver.execute_script(
                "arguments[0].scrollIntoView({block: 'center', inline: 'center'});"
                "const box = arguments[0].getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]",
                cells()[index])
            driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [
                {"x": spot[0], "y": spot[1]}]})
            driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            z.wait(lambda: chosen()[0], "takes the week that is tapped")
            time.sleep(0.3)
        start, end = chosen()
        hold(round(end - start) == 21, f"two taps choose three weeks: {chosen()}")
        hold(driver.switch_to.active_element.get_attribute("name") == "o.total", "the total is asked for after the second tap")
        self.resize(driver)
        self.say("weeks were drawn with a mouse, and named by two taps")

    def whole(self, desk, name):
        """A picture also of what the window of another size does not show."""
        if self.pictures:
            shot = desk.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
            with open(f"{self.pictures}/{name}.png", "wb") as file:
                file.write(base64.b64decode(shot["data"]))

    def resize(self, driver, width=None, touch=False):
        if width:
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                   {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False})
        else:
            driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})

    # -- long names ------------------------------------------------------------------------------------

    def wraps(self, driver, contract):
        """A name of one long word stays within every page."""
        self.dongguan("profile", "set", name=LONG)
        self.propose()
        until(lambda: any(LONG in line for line in [str(self.zhijian("status"))]), "the new name came over")
        z, c = Pages(self.zhijian, driver), Pages(self.zhongcai, driver)
        page = f"{self.folder}/customers.html"
        status, out, error = self.zhijian.run("proof", "page", contract=contract, steps="2,3", what="step", o=page)
        hold(status == 0, f"a page for customers: {out}{error}")
        offer = next(o for o in self.zhijian("offer", "list")["offers"] if o["issuer"] == self.dongguan.did)
        places = dict(ROOMS, contract=f"/contracts/{contract}", paper=f"/contracts/{contract}/paper",
                      code=f"/contracts/{contract}/code?step=2", propose=f"/market/propose?offer={offer['id']}", all="/contracts?which=all")
        for width in (375, 1280):
            self.resize(driver, width)

            def fits(what):
                wide = driver.execute_script("return document.documentElement.scrollWidth")
                out = driver.execute_script("""
                    return [...document.querySelectorAll("body *")].filter((one) => {
                      const box = one.getBoundingClientRect();
                      return box.width && box.right > innerWidth + 1 && !one.closest(".scroll, .visually-hidden, nav");
                    }).map((one) => one.outerHTML.slice(0, 160))""")
                hold(wide <= width and not out, f"{what} is {wide} pixels wide, the window {width}: {out[:5]}")
                self.whole(z, f"long-{what}-{width}")
            for name, path in places.items():
                z.go(path)
                driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
                fits(name)
            for name, desk in (("waiting", c), ("own", Pages(self.dongguan, driver))):
                desk.go("/")
                hold(name == "own" or LONG in desk.one(".items").text, "somebody waits for the arbiter")
                driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
                fits(name)
            driver.get(f"file://{page}")
            z.wait(lambda: z.one("article.good"), "checks the page for customers")
            fits("customers")
            z.go(f"/market/propose?offer={offer['id']}")
            for units, what in (("10", "preview"), ("100000", "refused")):
                form = z.one("form.act")
                z.fill(form, o_units=units, o_arbiter=self.zhongcai.did)
                form.find_element(By.CSS_SELECTOR, "button").click()
                shown = "[data-preview]" if what == "preview" else ".notice.bad"
                z.wait(lambda: z.one(f"dialog[open] {shown}"), f"shows a dialog: {what}")
                fits(what)
                z.one("dialog[open] a.button").click()
                z.wait(lambda: not z.all("dialog"), "closes it")
        self.resize(driver)
        self.say(f"a name of {len(LONG)} letters stays within {len(places) + 5} pages, on a phone and on a desk")

    # -- a node that is gone -----------------------------------------------------------------------------

    def loses_the_node(self, driver):
        d = Pages(self.dongguan, driver)
        self.listens(d, "/capacity")
        form = d.one("#declare form")
        values = {"o_resource": "work/kept", "t_start": day(40), "t_end": day(47), "o_total": "7", "o_unit": "C62"}
        d.fill(form, **values)
        button = form.find_element(By.CSS_SELECTOR, "button")
        address = driver.current_url

        def stands(words, what):
            d.wait(lambda: d.one("#away").is_displayed() and words in d.one("#away").text, what)
            box = d.one("#away").rect
            hold(box["height"] > 20, f"{what}, and is seen: {box}")
            held = form.find_element(By.NAME, "o.resource").get_attribute("value")
            hold(held == "work/kept" and driver.current_url == address, f"{what}: the form is as it was")
        # For a moment.
        driver.execute_cdp_cmd("Network.enable", {})
        offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **offline})
        button.click()
        stands("does not answer", "says that the node is away")
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **offline})
        button.click()
        d.wait(lambda: d.one("dialog [data-preview]"), "goes on when it is back")
        hold(d.driver.execute_script("return document.getElementById('away').textContent") == "", "and says no more of it")
        # While what is to be signed is read.
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **offline})
        d.one("dialog button.primary").click()
        stands("does not answer", "says so in the dialog")
        hold(d.all("dialog #away"), "the banner is in the dialog")
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **offline})
        d.one("dialog .buttons a.button").click()
        d.wait(lambda: not d.all("dialog"), "closes it")

        self.dongguan.stop(signal.SIGTERM)
        stands("does not answer", "says that the node is gone")
        button.click()
        time.sleep(0.5)
        stands("does not answer", "says it still")
        self.picture(d, "away")
        self.dongguan.start("--http", d.base.rpartition(":")[2])
        self.dongguan.ready()
        stands("talea open", "says that these pages are to be opened anew")
        button.click()
        time.sleep(0.5)
        stands("talea open", "says it still after a press")
        self.resize(driver, 375)
        self.whole(d, "over")
        self.resize(driver)
        self.say("a page said that its node was gone, back, and started anew, and what was typed stayed")
