export { default, openPage } from "./sources.js"; // a widget renders the one, a page calls the other
