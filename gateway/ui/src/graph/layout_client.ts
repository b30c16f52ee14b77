/** Lays out in a worker, which leaves the page quick. */
import { layOut, type Layout, type LayoutInput } from "./layout.ts";

let script: string | null = null, worker: Worker | null = null;
/* What the worker is at; what was asked for before is wanted no more. */
let pending: ((layout: Layout) => void) | null = null;

/** The address of the worker's script; until it is called, all is laid out in the page. */
export function useLayoutWorker(url: string): void {
    script = url;
    worker = start(url);
}

function start(url: string): Worker {
    const started = new Worker(url);
    started.onmessage = (event: MessageEvent<Layout>): void => {
        const resolve = pending;
        pending = null;
        resolve?.(event.data);
    };
    // Where it cannot be had, the page does it.
    started.onerror = (): void => { worker = script = null; };
    return started;
}

/** Of two that are asked for at once, the later: a worker that is still at the first is ended. */
export function layout(input: LayoutInput): Promise<Layout> {
    if (pending && script !== null) {
        worker?.terminate();
        pending = null;
        worker = start(script);
    }
    const by = worker;
    if (!by)
        return Promise.resolve(layOut(input));
    return new Promise((resolve) => {
        pending = resolve;
        by.postMessage(input);
    });
}
