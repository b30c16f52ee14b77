/* Levels of many records: a picture of them can be read, on the screen and on paper. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, picture, pictures, printed, random, visit } from "./lib.mjs";

const NOTES = (count, what) => Array.from({ length: count }, (_, i) => `${what} ${i}`);

/* Records with these texts, which lead to what is named after them. */
async function levels(...wanted) {
    const ids = wanted.map(({ notes }) => notes.map(() => crypto.randomUUID()));
    for (const [i, { type, notes }] of wanted.entries())
        await call("POST", "/nodes", { nodes: notes.map((text, k) => ({ id: ids[i][k], type, actor: "wide", payload: { text }, metadata: { confidence: 0.5 } })) });
    const edges = wanted.flatMap(({ leads = [] }, i) => leads.flatMap(([to, step]) => ids[i].flatMap((from, k) => k % step === 0 ? [{ from, to: ids[to][k % ids[to].length], type: k % 7 ? "supports" : "contradicts", weight: 0.5 }] : [])));
    await call("POST", "/edges", { edges });
    return ids;
}

/* Whether a line leads through the inner part of a card. */
function leadsThrough([[x1, y1], [x2, y2]], { x, y, right, bottom }) {
    const [left, top, end, low] = [x + 3, y + 3, right - 3, bottom - 3];
    // Liang and Barsky: which part of the line lies inside each border.
    let from = 0, to = 1;
    for (const [p, q] of [[x1 - x2, x1 - left], [x2 - x1, end - x1], [y1 - y2, y1 - top], [y2 - y1, low - y1]]) {
        if (p === 0 && q < 0)
            return false;
        if (p < 0)
            from = Math.max(from, q / p);
        if (p > 0)
            to = Math.min(to, q / p);
    }
    return from < to;
}

async function whole(page) {
    const { cards, texts } = await printed(page);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    // A line that is on several pages is one.
    const points = await page.locator(".paper svg polyline").evaluateAll((all) => all.map((line) => line.getAttribute("points"))), lines = [...new Set(points)].map((line) => line.split(" ").map((point) => point.split(",").map(Number)));
    return { cards, texts, lines };
}

const causes = await levels({ type: "OBSERVATION", notes: NOTES(300, "cause"), leads: [[1, 1]] }, { type: "DECISION", notes: ["decided on three hundred"] });
const [early, , , end] = await levels({ type: "OBSERVATION", notes: NOTES(40, "early"), leads: [[1, 1], [2, 3], [3, 5]] }, { type: "SCORE", notes: NOTES(30, "between"), leads: [[2, 1]] }, { type: "HYPOTHESIS", notes: NOTES(3, "late"), leads: [[3, 1]] }, { type: "DECISION", notes: ["decided over levels"] });
void early;

test("three hundred causes of one decision stand in rows: each can be read, and no line leads through a card", async () => {
    const { page, faults, close } = await visit(`#/why/${causes[1][0]}`);
    await picture(page);
    const { cards, texts, lines } = await whole(page);
    assert.equal(cards.length, 301);
    for (let i = 0; i < 300; i++)
        assert.ok(texts.some(({ text }) => text === `cause ${i}`), `cause ${i}`);
    // A screen of 1280 pixels shows a whole row, of a size that can be read; so does one of 1040.
    const left = Math.min(...cards.map(({ x }) => x)), right = Math.max(...cards.map((card) => card.right));
    assert.ok(right - left <= 1240 / 0.75, `${right - left}`);
    for (const [i, a] of cards.entries())
        assert.ok(cards.slice(i + 1).every((b) => a.right <= b.x || a.x >= b.right || a.bottom <= b.y || a.y >= b.bottom), `card ${i}`);
    for (const line of lines)
        for (let i = 1; i < line.length; i++)
            assert.ok(cards.every((card) => !leadsThrough([line[i - 1], line[i]], card)), JSON.stringify(line));
    // What an edge says stands by its cause, where no other stands.
    const labels = texts.filter(({ middle }) => middle);
    assert.equal(labels.length, 300);
    for (const [i, a] of labels.entries())
        assert.ok(labels.slice(i + 1).every((b) => a.right <= b.x || a.x >= b.right || a.bottom - 3 <= b.y || a.y >= b.bottom - 3), a.text);
    assert.deepEqual(faults, []);
    await page.screenshot({ path: pictures + "/wide.png" });
    await close();
});

test("wide levels above each other, and edges that pass them, stay apart from cards", async () => {
    const { page, close } = await visit(`#/why/${end[0]}`);
    await picture(page);
    const { cards, lines } = await whole(page);
    assert.equal(cards.length, 74);
    assert.equal(lines.length, 40 + 14 + 8 + 30 + 3);
    for (const line of lines)
        for (let i = 1; i < line.length; i++)
            assert.ok(cards.every((card) => !leadsThrough([line[i - 1], line[i]], card)), JSON.stringify(line));
    await page.screenshot({ path: pictures + "/wide-levels.png" });
    await close();
});

test("in small pictures no edge leads behind a card, and no card hides what an edge says, whatever levels it passes", async () => {
    const next = random(20);
    for (let graph = 0; graph < 6; graph++) {
        const ids = Array.from({ length: 6 + 3 * graph }, () => crypto.randomUUID());
        await call("POST", "/nodes", { nodes: ids.map((id, i) => ({ id, type: "SCORE", actor: "small", payload: { text: `score ${i}` } })) });
        // Each leads to the next but one at most, and some far down: those pass levels.
        const pairs = new Set(ids.slice(1).map((_, i) => `${i} ${Math.min(ids.length - 1, i + 1 + Math.floor(next() * 2))}`));
        for (let i = 0; i < graph + 2; i++)
            pairs.add(`${Math.floor(next() * ids.length / 2)} ${ids.length - 1 - Math.floor(next() * 2)}`);
        await call("POST", "/edges", { edges: [...pairs].map((pair) => pair.split(" ").map((i) => ids[i])).map(([from, to]) => ({ from, to, type: "supports", weight: 0.5 })) });
        const { page, close } = await visit(`#/why/${ids.at(-1)}?depth=40`);
        await picture(page);
        const { cards, lines, texts } = await whole(page);
        assert.ok(lines.some((line) => line.length > 2), "an edge passes a level");
        for (const line of lines)
            for (let i = 1; i < line.length; i++)
                assert.ok(cards.every((card) => !leadsThrough([line[i - 1], line[i]], card)), `graph ${graph}: ${JSON.stringify(line)}`);
        for (const label of texts.filter(({ middle }) => middle))
            assert.ok(cards.every((card) => label.right <= card.x || label.x >= card.right || label.bottom - 3 <= card.y || label.y + 3 >= card.bottom), `graph ${graph}: ${label.text}`);
        await close();
    }
});

test("several edges between two records stay beside the cards that they pass", async () => {
    const ids = Array.from({ length: 6 }, () => crypto.randomUUID());
    await call("POST", "/nodes", { nodes: ids.map((id, i) => ({ id, type: "SCORE", actor: "beside", payload: { text: `beside ${i}` } })) });
    const pairs = [[0, 1], [1, 2], [1, 3], [1, 4], [2, 5], [3, 5], [4, 5]].map(([from, to]) => [from, to, "causal"]);
    await call("POST", "/edges", { edges: [...pairs, ...["causal", "supports", "contradicts", "derivedFrom"].map((type) => [0, 5, type])].map(([from, to, type]) => ({ from: ids[from], to: ids[to], type, weight: 0.5 })) });
    const { page, close } = await visit(`#/why/${ids[5]}`);
    await picture(page);
    const { cards, lines, texts } = await whole(page), labels = texts.filter(({ middle }) => middle);
    assert.equal(lines.length, 11);
    for (const [i, a] of labels.entries())
        assert.ok(labels.slice(i + 1).every((b) => a.right <= b.x || a.x >= b.right || a.bottom - 3 <= b.y || a.y >= b.bottom - 3), a.text);
    assert.equal(lines.filter((line) => line.length > 2).length, 4);
    for (const line of lines)
        for (let i = 1; i < line.length; i++)
            assert.ok(cards.every((card) => !leadsThrough([line[i - 1], line[i]], card)), JSON.stringify(line));
    await page.screenshot({ path: pictures + "/beside.png" });
    await close();
});

test("on paper a tall picture goes on over pages, and none of its cards is cut", async () => {
    const { page, close } = await visit(`#/why/${causes[1][0]}`);
    await picture(page);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    const parts = await page.locator(".paper svg").evaluateAll((all) => all.map((svg) => {
        const [, top, , height] = svg.getAttribute("viewBox").split(" ").map(Number);
        return { top, bottom: top + height, ratio: svg.getBoundingClientRect().height / svg.getBoundingClientRect().width, title: svg.querySelector("title").textContent,
            cards: [...svg.querySelectorAll("rect[rx]")].map((card) => ({ y: card.y.baseVal.value, bottom: card.y.baseVal.value + card.height.baseVal.value })) };
    }));
    assert.ok(parts.length > 2);
    assert.equal(parts.flatMap(({ cards }) => cards).length, 301);
    for (const [i, { top, bottom, ratio, title, cards }] of parts.entries()) {
        assert.ok(cards.every((card) => card.y >= top && card.bottom <= bottom), title);
        assert.ok(ratio < 1.5);
        assert.match(title, new RegExp(`part ${i + 1} of ${parts.length}$`));
        assert.equal(top, parts[i - 1]?.bottom ?? top);
    }
    await page.pdf({ path: pictures + "/wide.pdf", format: "A4" });
    await close();
});

test("on paper what edges say is not cut where a tall picture goes on", async () => {
    const steps = await levels(...Array.from({ length: 14 }, (_, i) => ({ type: "SCORE", notes: [`step ${i}`], ...i < 13 ? { leads: [[i + 1, 1]] } : {} })));
    const { page, close } = await visit(`#/why/${steps[13][0]}?depth=20`);
    await picture(page);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    const parts = await page.locator(".paper svg").evaluateAll((all) => all.map((svg) => {
        const [, top, , height] = svg.getAttribute("viewBox").split(" ").map(Number);
        return { top, bottom: top + height, labels: [...svg.querySelectorAll("text[text-anchor=middle]")].map((text) => { const box = text.getBBox(); return { y: box.y, bottom: box.y + box.height }; }) };
    }));
    assert.ok(parts.length > 2);
    assert.equal(parts.flatMap(({ labels }) => labels).length, 13);
    for (const { top, bottom, labels } of parts)
        for (const label of labels)
            assert.ok(label.y >= top && label.bottom <= bottom, JSON.stringify({ top, bottom, label }));
    await close();
});
