/* A circle of reasons, as it is drawn: effects below causes, what leads back beside the cards, each record of it marked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, edge, node, picture, pictures, printed, visit } from "./lib.mjs";

const circle = [];
for (let i = 0; i < 3; i++)
    circle.push(await node("hypothesis", "loop", { text: `circle ${i}` }));
for (let i = 0; i < 3; i++)
    await edge(circle[i], circle[(i + 1) % 3], "supports");
const decided = await node("decision", "loop", { text: "rests on a circle" });
await edge(circle[2], decided, "causal");
await edge(await node("observation", "loop", { text: "beside it" }), decided, "supports");

/* Whether a line leads through a card, rather than to its border. */
function leadsThrough([[x1, y1], [x2, y2]], { x, y, right, bottom }) {
    for (let i = 0; i <= 200; i++) {
        const at = [x1 + (x2 - x1) * i / 200, y1 + (y2 - y1) * i / 200];
        if (at[0] > x + 2 && at[0] < right - 2 && at[1] > y + 2 && at[1] < bottom - 2)
            return true;
    }
    return false;
}

for (const [place, what] of [[`#/why/${decided}`, "causes"], [`#/why/${circle[0]}?direction=descendants`, "effects"]])
    test(`a circle among ${what} is drawn downwards, and back beside the cards; each record of it is marked`, async () => {
        const { page, close } = await visit(place);
        await picture(page);
        const { cards, texts } = await printed(page), topOf = (note) => texts.find(({ text }) => text === note).y;
        assert.equal(texts.filter(({ text }) => text === "circle").length, 3);
        // A decision below all that it rests on, and no record above its cause but where the circle closes.
        for (const [above, below] of [["circle 0", "circle 1"], ["circle 1", "circle 2"], ["circle 2", "rests on a circle"]])
            assert.ok(topOf(above) < topOf(below), `${above} is not above ${below}`);
        await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
        const lines = await page.locator(".paper svg polyline").evaluateAll((all) => all.map((line) => line.getAttribute("points").split(" ").map((point) => point.split(",").map(Number))));
        for (const line of lines)
            for (let i = 1; i < line.length; i++)
                for (const card of cards)
                    assert.ok(!leadsThrough([line[i - 1], line[i]], card), JSON.stringify([line, card]));
        await page.screenshot({ path: `${pictures}/circle-${what}.png` });
        await close();
    });

test("in a folded picture a circle leads back beside the cards as well, and a fold says what it hides", async () => {
    const ends = [];
    for (let i = 0; i < 3; i++)
        ends.push(await node("hypothesis", "loop", { text: `of a ring ${i}` }));
    for (let i = 0; i < 3; i++)
        await edge(ends[i], ends[(i + 1) % 3], "supports");
    const about = await node("decision", "loop", { text: "rests on folds" }), seen = [];
    await edge(ends[2], about, "causal");
    for (let i = 0; i < 4; i++) {
        seen.push(await node("observation", "loop", { text: `direct ${i}` }));
        await edge(seen[i], about, "supports");
    }
    await edge(await node("correction", "loop", { text: "it was not so" }), seen[0], "corrects");
    await call("POST", `/reason/annotate/${seen[1]}`, { note: "looked at twice" });
    const { page, close } = await visit(`#/why/${about}?fold=type`), told = () => page.evaluate(() => { window.dispatchEvent(new Event("beforeprint")); return document.querySelector(".paper svg")?.textContent ?? ""; });
    await picture(page);
    // What was annotated is known a moment later.
    for (const end = Date.now() + 120000; !(await told()).includes("1 noted") && Date.now() < end;)
        await page.waitForTimeout(100);
    assert.match(await told(), /4 × observation by loopopen to see each1 corrected · 4 came after1 noted/);
    const { cards, texts } = await printed(page), topOf = (note) => texts.find(({ text }) => text === note).y;
    for (const [above, below] of [["of a ring 0", "of a ring 1"], ["of a ring 1", "of a ring 2"], ["of a ring 2", "rests on folds"]])
        assert.ok(topOf(above) < topOf(below), `${above} is not above ${below}`);
    await told();
    const lines = await page.locator(".paper svg polyline").evaluateAll((all) => all.map((line) => line.getAttribute("points").split(" ").map((point) => point.split(",").map(Number))));
    const up = lines.filter((line) => line.at(-1)[1] < line[0][1]), right = Math.max(...cards.filter(({ y }) => y < topOf("rests on folds") - 92).map((card) => card.right));
    assert.equal(up.length, 1);
    assert.ok(Math.max(...up[0].map(([x]) => x)) > right, "it leads back beside the cards");
    for (const line of lines)
        for (let i = 1; i < line.length; i++)
            for (const card of cards)
                assert.ok(!leadsThrough([line[i - 1], line[i]], card), JSON.stringify([line, card]));
    await page.screenshot({ path: `${pictures}/circle-folded.png` });
    await close();
});
