/* A circle of reasons, as it is drawn: effects below causes, what leads back beside the cards, each record of it marked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edge, node, picture, pictures, printed, visit } from "./lib.mjs";

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
