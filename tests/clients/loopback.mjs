// Keeps every listener of a program on 127.0.0.1: the client that is started with this listens on all addresses for peers
// and has no option against it.
import net from 'node:net';

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (first, ...rest) {
  const isPort = typeof first === 'number' || /^\d+$/.test(first);
  if (isPort) {
    const done = rest.filter((argument) => typeof argument === 'function');
    return listen.call(this, { port: Number(first), host: '127.0.0.1' }, ...done);
  }
  const options = first?.port === undefined ? first : { ...first, host: '127.0.0.1' };
  return listen.call(this, options, ...rest);
};
