/** Lays out beside the page, which stays quick. */
import { layOut, type LayoutInput } from "./layout.ts";

self.onmessage = (event: MessageEvent<LayoutInput>): void => {
    self.postMessage(layOut(event.data));
};
