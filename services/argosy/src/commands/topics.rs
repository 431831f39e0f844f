//! `argosy topics plan|apply`: the catalogue compared with the cluster, and the cluster brought to it.

use argosy_broker::{Admin, BrokerError, NewTopic};
use argosy_events::catalogue::TOPICS;
use argosy_shell::{config::Config, exit::Exit};
use clap::{Args, Subcommand};

use crate::{
    cli::Common,
    failed::{Failed, at_broker},
    output::table,
    parts,
    process::block_on,
};

mod plan;

use plan::{Step, TopicPlan, plan};

/// Compare the catalogue of topics with the cluster, and apply it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy topics plan\n  argosy topics apply\n  argosy topics apply --breaks-order   # only on a drained topic"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what would change
    Plan(Limits),
    /// Change it; nothing is changed while anything is refused
    Apply(Limits),
}

#[derive(Clone, Copy, Debug, Args)]
struct Limits {
    /// Allow to grow a keyed topic: its keys then live in other partitions, out of order with what is still in the old
    #[arg(long)]
    breaks_order: bool,
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[])?;
    let (limits, is_apply) = match arguments.what {
        What::Plan(limits) => (limits, false),
        What::Apply(limits) => (limits, true),
    };
    let plans = block_on(async {
        let admin = parts::broker(&config)?
            .admin()
            .map_err(at_broker(&config))?;
        let plans = compare(&*admin, &config, limits.breaks_order).await?;
        if is_apply {
            carry_out(&*admin, &config, &plans).await?;
        }
        Ok(plans)
    })?;
    common.format().data(&plans, |plans| show(plans));
    Ok(Exit::Done)
}

/// Brings the cluster to the catalogue; what breaks order is refused.
pub(crate) async fn apply(admin: &dyn Admin, config: &Config) -> Result<usize, Failed> {
    let plans = compare(admin, config, false).await?;
    carry_out(admin, config, &plans).await?;
    let is_change = |step: &&Step| !matches!(step, Step::Keep { .. });
    let steps = plans.iter().flat_map(|plan| &plan.steps);
    Ok(steps.filter(is_change).count())
}

async fn compare(
    admin: &dyn Admin,
    config: &Config,
    breaks_order: bool,
) -> Result<Vec<TopicPlan>, Failed> {
    let cluster = admin.topics().await.map_err(at_broker(config))?;
    Ok(plan(TOPICS, &cluster, breaks_order))
}

async fn carry_out(admin: &dyn Admin, config: &Config, plans: &[TopicPlan]) -> Result<(), Failed> {
    let refused: Vec<String> = plans
        .iter()
        .flat_map(|plan| plan.steps.iter().map(|step| (plan.topic, step)))
        .filter_map(|(topic, step)| match step {
            Step::Refuse { reason } => Some(format!("{topic}: {reason}")),
            _ => None,
        })
        .collect();
    if !refused.is_empty() {
        return Err(Failed::new(
            Exit::Failed,
            format!("nothing was changed: {}", refused.join("; ")),
        ));
    }
    for plan in plans {
        for step in &plan.steps {
            carry_out_step(admin, config, plan.topic, step)
                .await
                .map_err(at_broker(config))
                .map_err(|failed| Failed {
                    error: failed.error.context(format!("topic {}", plan.topic)),
                    ..failed
                })?;
        }
    }
    Ok(())
}

async fn carry_out_step(
    admin: &dyn Admin,
    config: &Config,
    topic: &str,
    step: &Step,
) -> Result<(), BrokerError> {
    match step {
        Step::Create { partitions, values } => {
            let new = NewTopic {
                name: topic.to_owned(),
                partitions: *partitions,
                replicas: config.broker.topic_replicas.map_or(-1, i32::from),
                values: values.clone(),
            };
            admin.create(new).await
        }
        Step::Configure { value, to, .. } => {
            admin
                .configure(topic, vec![(value.clone(), to.clone())])
                .await
        }
        Step::Grow { to, .. } => admin.grow(topic, *to).await,
        Step::Refuse { .. } | Step::Keep { .. } => Ok(()),
    }
}

fn show(plans: &[TopicPlan]) -> String {
    let rows = plans.iter().flat_map(|plan| {
        let steps: Vec<String> = match plan.steps.is_empty() {
            true => vec!["as it should be".to_owned()],
            false => plan.steps.iter().map(tell).collect(),
        };
        steps
            .into_iter()
            .map(|step| vec![plan.topic.to_owned(), step])
    });
    table(&["TOPIC", "CHANGE"], rows)
}

fn tell(step: &Step) -> String {
    match step {
        Step::Create { partitions, .. } => format!("create with {partitions} partitions"),
        Step::Configure { value, from, to } => {
            let from = from.as_deref().unwrap_or("unknown");
            format!("set {value} from {from} to {to}")
        }
        Step::Grow { from, to } => format!("grow from {from} to {to} partitions"),
        Step::Refuse { reason } => format!("refused: {reason}"),
        Step::Keep { reason } => format!("keep: {reason}"),
    }
}
