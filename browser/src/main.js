// The bundle's entry: a widget renders the one, a page calls the other.

import { render } from "./kernel.js";

export { openPage } from "./page.js";
export default { render };
