// A bot on discord.js: registers /beacon and answers it. Arguments: the API's address and the token.
import { Client, Events, GatewayIntentBits } from "discord.js";

const [api, token] = process.argv.slice(2);
const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api } });

client.on(Events.ClientReady, async () => {
  await client.application.commands.set([{ name: "beacon", description: "Light the beacon" }]);
});
client.on(Events.InteractionCreate, async (interaction) => {
  await interaction.deferReply({ flags: 64 });
  const place = interaction.inGuild() ? interaction.guild.name : "direct messages";
  await interaction.editReply(`${interaction.user.username} in ${place}`);
});
client.on(Events.Error, (error) => console.error(error));
client.on(Events.ShardError, (error) => console.error(error));
process.stdin.on("end", () => client.destroy().then(() => process.exit(0)));
process.stdin.resume();
await client.login(token);
