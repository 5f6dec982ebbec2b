const { SLUICE_URL = 'http://127.0.0.1:8080', SLUICE_API_KEY } = process.env;
const headers = { authorization: `Bearer ${SLUICE_API_KEY}` };
let price = 100;

setInterval(async () => {
  const body = JSON.stringify({ channel: 'all', event: 'price', args: ['ACME', ++price], ephemeral: true });
  await fetch(`${SLUICE_URL}/api/v1/publish`, { method: 'POST', headers, body }).catch(console.error);
}, 100);
