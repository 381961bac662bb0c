// Which items there are: those that the mask keeps, and whose parts are all as they should be. How many are not, and
// the first of these.
//
// Joined to what interface.wgsl lists.

// How a part stands besides 0, out of range, and 1: it is to be passed over, with its item.
const PASSED_OVER: u32 = 2u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn judge(thread: Thread) {
    var offending = 0u;
    var first = NOWHERE;
    for (var item = thread.lane; item < call.items; item += WORKGROUP_SIZE) {
        let other = (call.slots - 1u) * call.stride + item;
        let fits = standing[item] != 0u && standing[other] != 0u;
        let is_there = is_kept(item) && standing[item] != PASSED_OVER;
        kept[item] = select(0, 1, is_there && fits);
        if (is_there && !fits) {
            offending += 1u;
            first = min(first, item);
        }
    }
    offending = reduce_add_u32(thread, offending);
    first = reduce_min_u32(thread, first);
    if (thread.lane == 0u) {
        judged[0] = offending;
        judged[1] = first;
    }
}
