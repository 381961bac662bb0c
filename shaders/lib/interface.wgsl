// What every kernel is given besides the interface of its driver. Kernels get their own in place of this file.

// Lanes of a workgroup; a power of two.
const WORKGROUP_SIZE: u32 = 64u;
// How many values a lane sums before it adds the sum to a total, so that rounding does not grow with the length.
const BLOCK: u32 = 64u;
