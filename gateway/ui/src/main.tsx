/** The explorer. */
import { render } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { useLayoutWorker } from "./graph/layout_client.ts";
import { changed, go, isId, link, readPlace, useLoaded, usePlace, type Place } from "./state.ts";
import { cut } from "./text.ts";
import { resolve, unresolved } from "./then.ts";
import { Compare } from "./views/compare.tsx";
import { Find } from "./views/find.tsx";
import { Freeze, Snapshot } from "./views/freeze.tsx";
import { Health } from "./views/health.tsx";
import { Impact } from "./views/impact.tsx";
import { Failure, Waiting } from "./views/parts.tsx";
import { Why } from "./views/why.tsx";

const PLACES = [["find", "Find"], ["compare", "Compare"], ["freeze", "Freeze and prove"], ["health", "Health"]] as const;

const TITLES: Record<string, string> = { ...Object.fromEntries(PLACES), why: "Why", impact: "What rests on", snapshot: "Snapshot" };

const ABOUT_ONE = ["why", "impact", "snapshot"];

/** Looks up what an address means by "when it was recorded", and goes on with the time itself. */
function Then({ place }: { place: Place }) {
    const { value, error } = useLoaded(link(place.view, place.id, place.parameters), (signal) => resolve(place, signal));
    useEffect(() => {
        if (value)
            go(changed(place, value), true);
    }, [value]);
    return error ? <Failure error={error} /> : <Waiting what="Looking up when it was recorded" />;
}

function View({ place }: { place: Place }) {
    if (ABOUT_ONE.includes(place.view) && !isId(place.id))
        return <Failure error={new Error(`"${cut(place.id, 60)}" is not the id of a record or a snapshot: it is to be a UUID`)} />;
    if (unresolved(place).length > 0)
        return <Then place={place} />;
    switch (place.view) {
    case "why": return <Why place={place} />;
    case "impact": return <Impact place={place} />;
    case "compare": return <Compare place={place} />;
    case "freeze": return <Freeze place={place} />;
    case "snapshot": return <Snapshot place={place} />;
    case "health": return <Health place={place} />;
    case "find": return <Find place={place} />;
    default: return (
        <>
            <Failure error={new Error(`there is no view "${cut(place.view, 60)}"; this is Find`)} />
            <Find place={readPlace("#/find")} />
        </>
    );
    }
}

/** Where a view begins: with the record that one comes from, if there is one. */
function beginning(view: string, { view: from, id, parameters }: Place): string {
    const known = ABOUT_ONE.includes(from) && isId(id), division = parameters.get("division");
    if (view === "compare" && known)
        return link("compare", "", { node: id, division });
    return view === "freeze" && known && from !== "snapshot" ? link("freeze", id, { division }) : link(view);
}

function App() {
    const place = usePlace(), main = useRef<HTMLElement>(null), last = useRef(place);
    useEffect(() => {
        // A new view is read from its beginning; the first one leaves the focus where it is.
        if (last.current.view !== place.view || last.current.id !== place.id)
            main.current?.focus();
        last.current = place;
    }, [place]);
    // Before the view's own, which knows the words of what it shows.
    useLayoutEffect(() => { document.title = `${TITLES[place.view] ?? "Find"}${place.id ? ` ${cut(place.id, 60)}` : ""} · Reasoning Graph`; }, [place.view, place.id]);
    return (
        <>
            <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>To the content</a>
            <header class="top">
                <a class="name" href={link("find")}>Reasoning Graph</a>
                <nav aria-label="Views">{PLACES.map(([view, title]) => <a key={view} href={beginning(view, place)} aria-current={place.view === view ? "page" : undefined}>{title}</a>)}</nav>
            </header>
            <main id="main" ref={main} tabIndex={-1}><View key={place.view + place.id} place={place} /></main>
        </>
    );
}

useLayoutWorker("layout.js");
const root = document.getElementById("app");
if (root)
    render(<App />, root);
