import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
    js.configs.recommended,
    ...tseslint.configs.strict,
    {
        rules: {
            "@typescript-eslint/no-non-null-assertion": "error",
            "no-restricted-syntax": ["error",
                { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]", message: "Content is text: it never becomes markup." },
                { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "Content is text: it never becomes markup." }],
            "no-restricted-globals": ["error", "localStorage", "sessionStorage", "indexedDB", "eval"],
        },
    },
    { files: ["build.mjs", "test/*.mjs"], languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } } },
);
