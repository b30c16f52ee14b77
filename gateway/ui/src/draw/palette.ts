/** Colours of types and states, in light and dark; texts on them have a contrast of at least 4.5 (WCAG AA). */

export interface Palette {
    background: string; text: string; faint: string; line: string; card: string; selected: string; /** the strongest path */ path: string;
    good: string; bad: string; added: string; removed: string; changed: string;
    types: Record<string, string>;
    edges: Record<string, string>;
}

const LIGHT: Palette = {
    background: "#fbfbfa", text: "#1c1e21", faint: "#585e66", line: "#8a9099", card: "#ffffff", selected: "#0b57d0", path: "#1c1e21",
    good: "#14692f", bad: "#b3161b", added: "#14692f", removed: "#b3161b", changed: "#8a5200",
    types: {
        observation: "#1b6f8a", score: "#4f5bb5", hypothesis: "#7a4aa0", recommendation: "#8a5200", policyCheck: "#5c6b00",
        decision: "#a3226b", action: "#14692f", correction: "#b3161b", annotation: "#585e66",
    },
    edges: { contradicts: "#b3161b", corrects: "#b3161b" },
};

const DARK: Palette = {
    background: "#15171a", text: "#eceef1", faint: "#a9b0ba", line: "#7b838e", card: "#1f2327", selected: "#8ab4f8", path: "#eceef1",
    good: "#7bd08f", bad: "#ff9a94", added: "#7bd08f", removed: "#ff9a94", changed: "#f0b866",
    types: {
        observation: "#7cc7e0", score: "#a9b2ff", hypothesis: "#cfa5ec", recommendation: "#f0b866", policyCheck: "#c3d45c",
        decision: "#ff9bd0", action: "#7bd08f", correction: "#ff9a94", annotation: "#a9b0ba",
    },
    edges: { contradicts: "#ff9a94", corrects: "#ff9a94" },
};

export function palette(dark: boolean): Palette {
    return dark ? DARK : LIGHT;
}

export const typeColour = (colours: Palette, type: string): string => colours.types[type] ?? colours.faint;
export const edgeColour = (colours: Palette, type: string): string => colours.edges[type] ?? colours.line;
