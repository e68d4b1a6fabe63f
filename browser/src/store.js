// The state of a panel: all that is chosen, by hand or from outside. `set` is the one way to change it, and tells those
// who listen the names of what is different now. No value in it is changed in place.

export function createStore(state) {
  const listeners = [];
  return {
    state,
    listen: (call) => listeners.push(call),
    set(changes) {
      const names = new Set(Object.keys(changes).filter((name) => !Object.is(state[name], changes[name])));
      Object.assign(state, changes);
      if (names.size) for (const call of listeners) call(names);
    },
  };
}
