/* Folds of very many: opened, they are not a thicket. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, picture, pictures, printed, visit } from "./lib.mjs";

const LONG = "an author with a name that is much longer than a card is wide";

async function causes(count, authorOf) {
    const ids = Array.from({ length: count }, () => crypto.randomUUID()), about = crypto.randomUUID();
    await call("POST", "/nodes", { nodes: [{ id: about, type: "DECISION", actor: "folder", payload: { text: "decided on many" } }] });
    for (let i = 0; i < count; i += 1000) {
        await call("POST", "/nodes", { nodes: ids.slice(i, i + 1000).map((id, k) => ({ id, type: "OBSERVATION", actor: authorOf(i + k), payload: { text: `cause ${i + k}` } })) });
        await call("POST", "/edges", { edges: ids.slice(i, i + 1000).map((from) => ({ from, to: about, type: "supports", weight: 0.5 })) });
    }
    return about;
}

const many = await causes(3000, () => "folder"), authors = await causes(160, (i) => `${LONG} ${i % 40}`);
const titles = async (page) => (await printed(page)).texts.map(({ text }) => text);

/* Until the picture has as many cards. */
async function cardsOf(page, wanted) {
    for (const end = Date.now() + 120000; Date.now() < end; await page.waitForTimeout(100)) {
        const { cards } = await printed(page);
        if (cards.length === wanted)
            return cards;
    }
    assert.fail(`${(await printed(page)).cards.length} cards, not ${wanted}`);
}

test("a fold of three thousand opens to parts that say when they were recorded, and those to parts again", async () => {
    const { page, faults, close } = await visit(`#/why/${many}`);
    await picture(page);
    await cardsOf(page, 2);
    assert.ok((await titles(page)).includes("3000 × observation by folder") && (await titles(page)).includes("open to see parts"));
    // Drawn anew before it is printed, which leaves it no room.
    const open = async (names) => {
        const drawn = await page.evaluate(() => performance.getEntriesByName("picture").length);
        await page.goto(`${process.env.REASON_URL}/ui/#/why/${many}?open=${encodeURIComponent(names.map(encodeURIComponent).join(","))}`);
        await page.waitForFunction((before) => performance.getEntriesByName("picture").length > before, drawn);
    };
    await open(["level 1 observation"]);
    await page.screenshot({ path: pictures + "/fold-in-parts.png" });
    const cards = await cardsOf(page, 25);
    for (const [i, a] of cards.entries())
        assert.ok(cards.slice(i + 1).every((b) => a.right <= b.x || a.x >= b.right || a.bottom <= b.y || a.y >= b.bottom), `card ${i}`);
    assert.equal((await titles(page)).filter((text) => text === "125 × observation by folder").length, 24);
    assert.ok((await titles(page)).filter((text) => /^\d{4}-\d\d-\d\d.* UTC$/.test(text)).length >= 24);
    await open(["level 1 observation", "level 1 observation part 3 of 24"]);
    await cardsOf(page, 25 - 1 + 3);
    await open(["level 1 observation", "level 1 observation part 3 of 24", "level 1 observation part 3 of 24 part 1 of 3"]);
    await cardsOf(page, 25 - 1 + 2 + 42);
    assert.deepEqual(faults, []);
    await close();
});

test("folds by authors with long names keep their words on their cards, and what their edges say apart", async () => {
    const { page, close } = await visit(`#/why/${authors}?fold=author`);
    await picture(page);
    await cardsOf(page, 41);
    const { cards, texts } = await printed(page), labels = texts.filter(({ middle }) => middle);
    for (const text of texts.filter(({ middle }) => !middle))
        assert.ok(cards.some((card) => text.x >= card.x && text.right <= card.right + 1 && text.y >= card.y - 2 && text.bottom <= card.bottom + 2), text.text);
    for (const [i, a] of labels.entries())
        assert.ok(labels.slice(i + 1).every((b) => a.right <= b.x || a.x >= b.right || a.bottom - 3 <= b.y || a.y >= b.bottom - 3), a.text);
    // Cut, so that it need not be squeezed until nobody reads it.
    assert.equal(texts.filter(({ text }) => /^4 × observation by an author.*…$/.test(text) && text.length <= 38).length, 40);
    await page.screenshot({ path: pictures + "/folds-by-author.png" });
    await close();
});
