export function createCompare() {}
