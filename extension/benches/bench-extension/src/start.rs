//! From exec to the first /next.

use crate::Result;
use crate::extension::Extension;
use crate::programs::Program;
use crate::stand_in::Call;
use crate::table::{Table, grouped, quantile};
use std::path::Path;
use std::time::Duration;

#[derive(Default)]
struct Figures {
    /// To the first /next.
    cached: Vec<Duration>,
    /// With nothing of the program's file in memory, as at a cold start.
    evicted: Vec<Duration>,
    /// To the request to be registered, from there to the subscription, and from there to /next.
    steps: [Vec<Duration>; 3],
    /// Resident memory then, and the most until then.
    memory_kib: [Vec<u64>; 2],
}

impl Figures {
    fn take(&mut self, extension: &Extension) -> Result<()> {
        let at = |call| extension.api.seen(call).first().map(|seen| seen.at);
        let next = at(Call::Next).ok_or("no /next")?;
        self.cached.push(next - extension.began);
        if let (Some(register), Some(subscribe)) = (at(Call::Register), at(Call::Subscribe)) {
            self.steps[0].push(register - extension.began);
            self.steps[1].push(subscribe - register);
            self.steps[2].push(next.saturating_duration_since(subscribe));
        }
        // What follows the first poll is part of the resting state.
        std::thread::sleep(Duration::from_millis(20));
        let (rss, most) = extension.memory_kib()?;
        self.memory_kib[0].push(rss);
        self.memory_kib[1].push(most);
        Ok(())
    }
}

/// Starts them in turn, so that what else the machine does is shared.
pub(crate) fn measure(programs: &[Program], starts: usize, table: &mut Table) -> Result<()> {
    let mut figures: Vec<Figures> = programs.iter().map(|_| Figures::default()).collect();
    for _ in 0..starts {
        for (program, figures) in programs.iter().zip(&mut figures) {
            let extension = Extension::start(program)?;
            figures.take(&extension)?;
            extension.shut_down()?;
            evict(&program.path)?;
            let extension = Extension::start(program)?;
            let next = extension.api.seen(Call::Next).first().map(|seen| seen.at);
            figures.evicted.push(next.ok_or("no /next")? - extension.began);
            extension.shut_down()?;
        }
    }
    for figures in &mut figures {
        for times in
            [&mut figures.cached, &mut figures.evicted].into_iter().chain(&mut figures.steps)
        {
            times.sort_unstable();
        }
        figures.memory_kib.iter_mut().for_each(|sizes| sizes.sort_unstable());
    }
    let target = "1.2 × bare hyper";
    let times = |of: &dyn Fn(&Figures) -> Vec<Duration>, part: f64| -> Vec<String> {
        let ms = |times: Vec<Duration>| match times.as_slice() {
            [] => "–".to_owned(),
            times => format!("{:.2}", quantile(times, part).as_secs_f64() * 1e3),
        };
        figures.iter().map(|figures| ms(of(figures))).collect()
    };
    let cached = |figures: &Figures| figures.cached.clone();
    let evicted = |figures: &Figures| figures.evicted.clone();
    let what = format!("exec to the first /next, ms, least of {starts}");
    table.row(&what, target, &times(&cached, 0.0));
    table.row("the same, median", target, &times(&cached, 0.5));
    for (n, what) in
        ["exec to register", "register to subscribe", "subscribe to /next"].into_iter().enumerate()
    {
        let what = format!("of that {what}, median");
        table.row(&what, "", &times(&|figures| figures.steps[n].clone(), 0.5));
    }
    table.row("the same with its file out of memory, ms, least", target, &times(&evicted, 0.0));
    table.row("the same, median", target, &times(&evicted, 0.5));
    for (n, what) in ["RSS after the first /next, KiB", "HWM then, KiB"].into_iter().enumerate() {
        let size = |figures: &Figures| grouped(quantile(&figures.memory_kib[n], 0.5));
        table.row(what, "", &figures.iter().map(size).collect::<Vec<_>>());
    }
    Ok(())
}

/// Has the system forget what it has read of a program, as far as nobody runs it.
fn evict(program: &Path) -> Result<()> {
    let file = std::fs::File::open(program)?;
    file.sync_all()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}
