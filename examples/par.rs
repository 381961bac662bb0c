use wgloss::*;
fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    for a in Adapter::all_blocking() {
        let gpu = a.open_blocking().unwrap();
        for spec in losses::ALL {
            if !only.is_empty() && !only.iter().any(|o| o == spec.name) {
                continue;
            }
            let t = std::time::Instant::now();
            let r = parity::check(&gpu, spec, parity::Effort::Quick, &mut |_, _| {}).unwrap();
            println!(
                "{:28} {:18} {:4} loss {:.1e} {:5.1} grad {:.1e} {:5.1} fail {} {:?}",
                a.id(),
                r.loss,
                r.cases,
                r.loss_error.relative,
                r.loss_error.ulps,
                r.gradient_error.relative,
                r.gradient_error.ulps,
                r.failures.len(),
                t.elapsed()
            );
            for f in r.failures.iter().take(4) {
                println!("    {f}");
            }
        }
    }
}
