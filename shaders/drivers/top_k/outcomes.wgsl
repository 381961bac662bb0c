// Where the outcomes of a row are.
//
// Joined to what interface.wgsl lists.

// The place among all outcomes of that of a row's class of that number among the given ones.
fn outcome_of(number: u32, row: u32) -> u32 {
    return (number + select(0u, 1u, BUCKET)) * call.rows + row;
}
