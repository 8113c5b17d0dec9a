//! `axolotl actors`: the tree of a running node, and what an operator can do to it.

mod draw;
mod style;
mod watch;

use serde_json::json;

use self::style::Style;
use super::{
    arguments::{Actors, ActorsCommand, AdminNode, Ordered, Provoke},
    printer::Printer,
};
use crate::{
    admin::{AdminClient, Order, Place, Provocation, Token, Wish},
    exit::{ExitCode, Failure},
    home::Home,
    network,
};

/// `axolotl actors`.
pub async fn run(arguments: &Actors, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let client = connect(&arguments.node)?;
    match (&arguments.command, &arguments.path) {
        (None, None) => {
            let page = client.tree().await?;
            printer.print(&page, || draw::tree(&page, Style::of_stdout()))
        }
        (None, Some(path)) => {
            let page = client.actor(path).await?;
            printer.print(&page, || draw::actor(&page, Style::of_stdout()))
        }
        (Some(command), _) => carry_out(&client, command, printer).await,
    }
}

async fn carry_out(client: &AdminClient, command: &ActorsCommand, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match command {
        ActorsCommand::Watch => watch::tree(client, printer).await,
        ActorsCommand::Restart(asked) => order(client, Order::Restart, asked, printer).await,
        ActorsCommand::Suspend { path } => order(client, Order::Suspend, &Ordered::only(path), printer).await,
        ActorsCommand::Resume { path } => order(client, Order::Resume, &Ordered::only(path), printer).await,
        ActorsCommand::Kill(asked) => order(client, Order::Kill, asked, printer).await,
        ActorsCommand::Panic(asked) => provoke(client, Provocation::Panic, asked, printer).await,
        ActorsCommand::Error(asked) => provoke(client, Provocation::Error, asked, printer).await,
        ActorsCommand::Hang(asked) => provoke(client, Provocation::Hang, asked, printer).await,
        ActorsCommand::Block(asked) => provoke(client, Provocation::Block, asked, printer).await,
        ActorsCommand::Delay(asked) => provoke(client, Provocation::Delay, asked, printer).await,
        ActorsCommand::Flood(asked) => provoke(client, Provocation::Flood, asked, printer).await,
        ActorsCommand::Clear { path } => {
            client.clear(path).await?;
            printer.print(&json!({ "cleared": path }), || format!("{path}: faults that have not struck yet were taken back"))
        }
    }
}

async fn order(client: &AdminClient, order: Order, asked: &Ordered, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let seen = watch::latest(client).await?;
    let done = client.order(&asked.path, order).await?;
    printer.print(&done, || format!("{}: {} was ordered", asked.path, order.name()))?;
    if asked.watch { watch::until_back(client, &asked.path, seen, printer).await } else { Ok(()) }
}

async fn provoke(client: &AdminClient, what: Provocation, asked: &Provoke, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let for_ms = asked.lasts.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
    let wish = Wish { message: asked.message.clone(), for_ms, messages: asked.messages, starts: asked.starts };
    let seen = watch::latest(client).await?;
    let armed = client.provoke(&asked.path, what, &wish).await?;
    let armed_for = || match (what, asked.starts, &asked.message) {
        (Provocation::Flood, _, _) => "its mailbox is flooded".to_owned(),
        (_, Some(starts), _) => format!("{} strikes its next {starts} starts", what.name()),
        (_, None, Some(message)) => format!("{} strikes in its next {message}", what.name()),
        (_, None, None) => format!("{} strikes in its next message", what.name()),
    };
    printer.print(&armed, || format!("{}: {}", asked.path, armed_for()))?;
    if asked.watch { watch::until_back(client, &asked.path, seen, printer).await } else { Ok(()) }
}

/// Who is asked: the node of a home, a validator of a localnet, or an address with its token.
pub(super) fn connect(node: &AdminNode) -> Result<AdminClient, Failure> {
    let usage = |what: &str, remedy: &str| Err(Failure::new(ExitCode::Usage, what).remedy(remedy));
    let (url, token) = match (&node.admin, &node.token_file) {
        (Some(url), Some(file)) => (url.clone(), Token::read(file)?),
        (Some(_), None) => return usage("--admin needs a token", "name its file: --token-file HOME/admin.token, or use --home alone"),
        (None, Some(_)) => return usage("--token-file needs an address", "name it: --admin http://127.0.0.1:3039, or use --home alone"),
        (None, None) => Place::find(&home(node))?,
    };
    AdminClient::new(&url, token)
}

/// A directory without a home of its own is taken for that of a localnet, whose first validator is meant unless another is named.
pub(super) fn home(node: &AdminNode) -> Home {
    let given = Home::at(&node.home);
    match &node.node {
        None if given.exists() => given,
        name => Home::at(node.home.join(name.clone().unwrap_or_else(|| network::name(0)))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{cli::arguments::Output, development, home::Contents};

    fn asked(directory: &std::path::Path, node: Option<&str>) -> AdminNode {
        AdminNode { home: directory.to_owned(), node: node.map(str::to_owned), admin: None, token_file: None, output: Output::Text }
    }

    #[test]
    fn a_home_is_itself_and_a_localnet_is_its_first_validator_or_the_one_that_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        assert_eq!(home(&asked(root, None)).root(), root.join("validator-0"));
        assert_eq!(home(&asked(root, Some("validator-2"))).root(), root.join("validator-2"));
        let own = Home::at(root);
        own.create(&Contents { config: "# c", genesis: "{}", node_key: &development::node_key(0), validator_key: None }).unwrap();
        assert_eq!(home(&asked(root, None)).root(), root);
    }

    #[test]
    fn an_address_and_its_token_come_together_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let alone = AdminNode { admin: Some("http://127.0.0.1:1".into()), ..asked(directory.path(), None) };
        let refused = connect(&alone).unwrap_err();
        assert_eq!(refused.code, ExitCode::Usage);
        assert!(refused.remedy.contains("--token-file"));
        let keyless = AdminNode { token_file: Some("t".into()), ..asked(directory.path(), None) };
        assert_eq!(connect(&keyless).unwrap_err().code, ExitCode::Usage);
    }
}
