// A loss that has nothing to do with the entropy.

const USES_ENTROPY: bool = false;
