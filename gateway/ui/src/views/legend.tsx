/** What the marks of pictures, trees and lists mean, for who has not read the documentation. */
import { useState } from "preact/hooks";
import { Pair } from "./parts.tsx";

const MARKS: readonly [mark: string, meaning: string][] = [
    ["supports 0.9", "on an edge: its type, and its weight. So much the cause counts for the effect, as the author of the edge states it; 1 where nothing is stated. The broader the line, the more."],
    ["0.4 (0.8 before)", "the weight was stated anew: a further edge of that type between the same two records."],
    ["contradicts, corrects", "broken and dotted red lines: what speaks against a record, and what says that it is wrong. Neither is a reason."],
    ["recorded", "when the service took it down; it cannot be set back. occurred: when it happened, by its author's word."],
    ["confidence", "how sure its author says to be, from 0 to 1."],
    ["corrected", "a later record says that it is wrong; both stay."],
    ["came after", "recorded after what the picture is about: it was no reason for it."],
    ["noted", "somebody annotated it: its record has the text."],
    ["erased, redacted", "a broken border: its content was erased for everybody, or is not shown to this certificate."],
    ["in quarantine", "held back by a policy; shown to those who may inspect it."],
    ["circle", "it is among its own causes; the edge that leads back runs beside the cards."],
    ["+3 causes", "the walk stopped there for its depth; a second click, or Enter, opens it."],
    ["5 × score", "so many records drawn as one; a click, or Enter, opens them."],
];

export function Legend() {
    const [isOpen, setOpen] = useState(false);
    return (
        <details class="legend screen-only" onToggle={(event) => { setOpen(event.currentTarget.open); }}>
            <summary>What the marks mean</summary>
            {isOpen && <dl>{MARKS.map(([mark, meaning]) => <Pair key={mark} name={mark}>{meaning}</Pair>)}</dl>}
        </details>
    );
}
