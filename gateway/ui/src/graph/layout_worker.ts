/** Lays out beside the page, which stays quick. */
import { layOut, type LayoutInput } from "./layout.ts";

self.onmessage = (event: MessageEvent<{ id: number; input: LayoutInput }>): void => {
    self.postMessage({ id: event.data.id, layout: layOut(event.data.input) });
};
