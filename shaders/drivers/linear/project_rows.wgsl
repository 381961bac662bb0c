// Gradients of rows through their unit length: what turns a row, which is all but the part along it, divided by its
// length. Of a row as short as the least length nothing is taken away. A lane takes a row.
//
// Joined to what interface.wgsl lists; direction_of gives four values of a row of unit length.

@compute @workgroup_size(WORKGROUP_SIZE)
fn project_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var row = first + thread.lane; row < end; row += WORKGROUP_SIZE) {
        var along = 0.0;
        for (var block = 0u; block < call.quads; block += BLOCK) {
            var part = 0.0;
            for (var quad = block; quad < min(block + BLOCK, call.quads); quad++) {
                part += dot(products[row * call.quads + quad], direction_of(row, quad));
            }
            along += part;
        }
        let inverse = lengths[call.first_class + row];
        let is_short = inverse * call.least_length >= 1.0;
        for (var quad = 0u; quad < call.quads; quad++) {
            let place = row * call.quads + quad;
            let aside = products[place] - select(along, 0.0, is_short) * direction_of(row, quad);
            products[place] = inverse * aside;
        }
    }
}
