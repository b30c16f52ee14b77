/** The address is the state: each view of the page has a link, and the back button goes back. */
import { useEffect, useState } from "preact/hooks";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isId = (text: string): boolean => UUID.test(text);

export interface Place { view: string; id: string; parameters: URLSearchParams }

function decoded(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return "";
    }
}

export function readPlace(hash: string): Place {
    const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2), [view = "", id = ""] = path.split("/");
    return { view: view || "find", id: decoded(id), parameters: new URLSearchParams(search) };
}

export function link(view: string, id = "", parameters: Record<string, string | number | null | undefined> | URLSearchParams = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of parameters instanceof URLSearchParams ? parameters : Object.entries(parameters))
        if (value !== undefined && value !== null && value !== "")
            search.set(name, String(value));
    const query = search.toString();
    return `#/${view}${id ? "/" + encodeURIComponent(id) : ""}${query ? "?" + query : ""}`;
}

/** The place with some parameters changed; null and "" take one away. */
export function changed(place: Place, changes: Record<string, string | number | null>): string {
    const parameters = new URLSearchParams(place.parameters);
    for (const [name, value] of Object.entries(changes))
        if (value === null || value === "")
            parameters.delete(name);
        else
            parameters.set(name, String(value));
    return link(place.view, place.id, parameters);
}

/** A list of texts in one parameter, whatever is in them. */
export const listIn = (place: Place, name: string): string[] => (place.parameters.get(name) ?? "").split(",").filter(Boolean).map(decoded);
export const asList = (texts: Iterable<string>): string => [...texts].map(encodeURIComponent).join(",");

/** Goes there; `quietly` without a step for the back button, as for what is selected. */
export function go(hash: string, quietly = false): void {
    if (quietly) {
        history.replaceState(null, "", hash);
        window.dispatchEvent(new HashChangeEvent("hashchange"));
    } else
        location.hash = hash;
}

export function usePlace(): Place {
    const [place, setPlace] = useState(() => readPlace(location.hash));
    useEffect(() => {
        const listen = (): void => { setPlace(readPlace(location.hash)); };
        window.addEventListener("hashchange", listen);
        return () => { window.removeEventListener("hashchange", listen); };
    }, []);
    return place;
}

/** What the tab says is looked at; nothing, as long as it is not known. */
export function useTitle(words: string): void {
    useEffect(() => {
        if (words !== "")
            document.title = `${words} · Reasoning Graph`;
    }, [words]);
}

export interface Loaded<T> { value: T | null; error: Error | null; loading: boolean }

/* Whatever failed is asked for again. */
const AGAIN = "ask-again";
export const askAgain = (): boolean => window.dispatchEvent(new Event(AGAIN));

/** What a promise gives, asked for again whenever the key changes, and what failed when it is said so; an answer that comes late counts no more. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
    const [loaded, setLoaded] = useState<Loaded<T> & { key: string | null }>({ key: null, value: null, error: null, loading: true });
    const [tries, setTries] = useState(0), failed = loaded.error !== null;
    useEffect(() => {
        const again = (): void => { if (failed) setTries((before) => before + 1); };
        window.addEventListener(AGAIN, again);
        return () => { window.removeEventListener(AGAIN, again); };
    }, [failed]);
    useEffect(() => {
        const controller = new AbortController();
        setLoaded((before) => ({ ...before, key, loading: true, error: null }));
        load(controller.signal).then(
            (value) => { if (!controller.signal.aborted) setLoaded({ key, value, error: null, loading: false }); },
            (error: unknown) => { if (!controller.signal.aborted) setLoaded({ key, value: null, error: error instanceof Error ? error : new Error(String(error)), loading: false }); });
        return () => { controller.abort(); };
    }, [key, tries]);
    // What is held is of before until the effect has run: it may be shown, as what is waited for it counts no more.
    return loaded.key === key ? loaded : { value: loaded.value, error: null, loading: true };
}
