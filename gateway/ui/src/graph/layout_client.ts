/** Asks the worker, or lays out here where there is none, as in the auditor's page. */
import { layOut, type Layout, type LayoutInput } from "./layout.ts";

let worker: Worker | null = null;
let asked = 0;
const waiting = new Map<number, (layout: Layout) => void>();

/** The address of the worker's script; until it is called, all is laid out in the page. */
export function useLayoutWorker(url: string): void {
    const started = new Worker(url);
    started.onmessage = (event: MessageEvent<{ id: number; layout: Layout }>): void => {
        waiting.get(event.data.id)?.(event.data.layout);
        waiting.delete(event.data.id);
    };
    started.onerror = (): void => { worker = null; };
    worker = started;
}

export function layout(input: LayoutInput): Promise<Layout> {
    if (!worker)
        return Promise.resolve(layOut(input));
    const id = ++asked;
    worker.postMessage({ id, input });
    return new Promise((resolve) => { waiting.set(id, resolve); });
}
